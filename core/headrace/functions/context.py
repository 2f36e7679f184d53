"""The context object of a call, attribute for attribute Lambda's, plus where the event came from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

from headrace.clock import SYSTEM, Clock

ACCOUNT = "000000000000"
MEMORY = "128"
VERSION = "$LATEST"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Which mapping hands the event over, from which lane, under which lease epoch, for the how-manieth time.

    `attempt` is 1 at the first.
    """

    mapping: str
    lane: str
    epoch: int
    attempt: int


class Identity:
    """Cognito's identity: an object always, and empty for events of a mapping."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id: str | None = None
        self.cognito_identity_pool_id: str | None = None


def arn(function: str, region: str) -> str:
    """The stable ARN of a function that is not in AWS."""
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{function}"


def log_group(function: str) -> str:
    return f"/aws/lambda/{function}"


@cache
def log_stream() -> str:
    """The name of this process's log stream, in the form that Lambda gives to an execution environment."""
    day = datetime.fromtimestamp(SYSTEM.wall(), UTC).strftime("%Y/%m/%d")
    return f"{day}/[{VERSION}]{uuid4().hex}"


class Context:
    """What a handler gets as its second argument. Its attributes are plain and writable, as Lambda's.

    `headrace` is ours: the `Delivery`, for handlers that want it.
    """

    def __init__(
        self, *, function: str, arn: str, request_id: str, deadline: float, delivery: Delivery, clock: Clock = SYSTEM
    ) -> None:
        self.aws_request_id = request_id
        self.function_name = function
        self.function_version = VERSION
        self.invoked_function_arn = arn
        self.memory_limit_in_mb = MEMORY
        self.log_group_name = log_group(function)
        self.log_stream_name = log_stream()
        self.client_context = None
        self.identity = Identity()
        self.tenant_id = None
        self.headrace = delivery
        self._deadline = deadline
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the call times out; never negative."""
        return max(0, int((self._deadline - self._clock.boot()) * 1000))

    def log(self, msg: object) -> None:
        """Write *msg* to standard output, without a newline."""
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"LambdaContext([{shown}])"
