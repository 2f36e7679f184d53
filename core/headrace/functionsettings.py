"""What a user may write about a function."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from headrace.credentials import Credentials, RoleArn, one_identity
from headrace.settings import Backoff, DestinationConfig, Redact, Seconds, Settings


def _handler(handler: str) -> str:
    if not re.fullmatch(r"[^\s.]\S*\.[^\s.]+", handler):
        raise ValueError("must be module.function, as Lambda writes it: shop.orders.handler")
    return handler


class EventInvokeConfig(Settings):
    """How asynchronous invocations of a function are made, as Lambda's PutFunctionEventInvokeConfig has it."""

    maximum_retry_attempts: int = Field(2, ge=0, le=2, description="Attempts after the first.")
    maximum_event_age_in_seconds: int = Field(
        21600, ge=60, le=21600, description="An event that would be older when it is tried again is given up."
    )
    retry_backoff: Backoff = Field(
        Backoff(initial=60, maximum=120), description="Our own: Lambda waits one minute, and then two."
    )
    destination_config: DestinationConfig | None = Field(None, description="Where the results are told.")
    redact: Redact | None = Field(
        None, description="Our own: paths into the event that no destination, log or state shows: customer.*.email."
    )


class DeadLetterConfig(Settings):
    """Where the events of asynchronous invocations go that were given up: as they are, beside any destination."""

    target_arn: Any = Field(description="A queue's or topic's ARN, or {type: …}.")


class FunctionSettings(Settings):
    """A handler as Lambda knows it."""

    handler: Annotated[str, AfterValidator(_handler)] = Field(
        description="module.function, as Lambda writes it; plain or async."
    )
    path: str | None = Field(None, description="Folder put on the import path; relative to the config file.")
    timeout: Seconds = Field(3, gt=0, le=900, description="Seconds one call may take; Lambda's default is 3.")
    environment: dict[str, str] = Field(
        {},
        repr=False,
        description="Environment variables. Functions that set one to different values have processes of their own.",
    )
    role_arn: RoleArn | None = Field(
        None,
        description="Lambda's role: what the handler calls in AWS, it calls as this role, assumed by who the process "
        "is, by profile or by credentials, and refreshed.",
    )
    profile: str | None = Field(
        None, min_length=1, description="Profile of AWS's config files that the handler goes by."
    )
    credentials: Credentials | None = Field(None, description="Credentials that the handler goes by instead.")
    event_invoke_config: EventInvokeConfig | None = Field(
        None, description="Asynchronous invocations: a queue of them in service.state. {} for Lambda's defaults."
    )
    dead_letter_config: DeadLetterConfig | None = Field(None, description="Its dead-letter queue; has a queue, too.")

    @model_validator(mode="after")
    def _is_one_identity(self) -> Self:
        one_identity(self.profile, self.credentials)
        return self
