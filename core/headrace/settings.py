"""What a user may write about the service, a function and a mapping: names, types, limits, defaults, docs.

One declaration serves the config file, the library, `headrace schema`, `explain` and `connectors`. Names and limits are
those of Lambda's CreateEventSourceMapping, in snake case as Terraform writes them; our own keys say so.
A mapping's default of None means: the source's own default, see `Connector.defaults`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(strict=True)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LogSettings(Settings):
    format: Literal["console", "json"] = Field("console", description="One line for people, or one JSON object.")
    level: Literal["debug", "info", "warning", "error"] = "info"


class ServiceSettings(Settings):
    """The process: its name, its state, its HTTP port, its end."""

    name: str = Field(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$",
        description="Prefix of leases and checkpoints, label `service` of metrics.",
    )
    state: str | None = Field(None, description="Where leases and checkpoints are kept: `memory:`.")
    listen: str | None = Field(
        "127.0.0.1:8480",
        description="HOST:PORT for health, metrics and control; port 0 picks one; null switches it off.",
    )
    drain_timeout: Seconds = Field(30, ge=0, le=86400, description="Seconds that a stop waits for handlers.")
    log: LogSettings = LogSettings()


class FunctionSettings(Settings):
    """A handler as Lambda knows it."""

    handler: str = Field(min_length=1, description="module.function, as Lambda writes it; plain or async.")
    path: str | None = Field(None, description="Folder put on the import path; relative to the config file.")
    timeout: Seconds = Field(3, gt=0, le=900, description="Seconds one call may take; Lambda's default is 3.")
    environment: dict[str, str] = Field({}, description="Environment variables; set for the whole process.")


class ScalingConfig(Settings):
    maximum_concurrency: int = Field(
        10,
        ge=1,
        le=1000,
        description="Batches at the handler at once. Lambda: 2 to 1,000 without a default; here 10, and 1 is allowed.",
    )


class Backoff(Settings):
    """How long a failed record waits before it is tried again."""

    initial: Seconds = Field(1, ge=0, le=43200, description="Seconds after the first failure.")
    maximum: Seconds = Field(60, ge=0, le=43200, description="Seconds that the doubling does not go past.")


class MappingSettings(Settings):
    """One event source mapping, but for its source and the name of its function."""

    enabled: bool = True
    batch_size: int | None = Field(None, ge=1, le=10000, description="Records handed over at most together.")
    maximum_batching_window_in_seconds: int | None = Field(
        None, ge=0, le=300, description="Seconds to gather a batch, from its first record."
    )
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        [], max_length=1, description="Without it the answer of a handler is ignored, as on Lambda."
    )
    scaling_config: ScalingConfig | None = None
    response_mode: Literal["aws", "strict"] = Field(
        "aws",
        description="strict refuses answers that AWS reads as success by accident: a misspelt key, an id as a number.",
    )
    retry_backoff: Backoff | None = Field(
        None, description="Default of queues: none, the visibility time-out rules; of logs: 1 s doubling to 60 s."
    )
    capacity: int | None = Field(
        None, ge=1, le=1_000_000, description="Records held by one lane. Default 10 x batch_size, at least 1,000."
    )
    capacity_bytes: int = Field(64 * 2**20, ge=8 * 2**20, description="Bytes of records held by one lane.")
    parallelization_factor: int | None = Field(None, ge=1, le=10)
    bisect_batch_on_function_error: bool | None = None
    maximum_retry_attempts: int | None = Field(None, ge=-1, le=10000)
    maximum_record_age_in_seconds: int | None = Field(None, ge=-1, le=604800)
    tumbling_window_in_seconds: int | None = Field(None, ge=0, le=900)
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] | None = None
    starting_position_timestamp: str | float | None = None
    filter_criteria: Any = None
    destination_config: Any = None
    idempotency: Any = None
    redact: Any = None
    failure_payload: Any = None
