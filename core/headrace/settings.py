"""What a user may write about the service, a function and a mapping: names, types, limits, defaults, docs.

One declaration serves the config file, the library, `headrace schema`, `explain` and `connectors`. Names and limits are
those of Lambda's CreateEventSourceMapping, in snake case as Terraform writes them; our own keys say so.
A mapping's default of None means: the source's own default, see `Connector.defaults`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from headrace.destination import FailureClass
from headrace.jmes import compiled
from headrace.masking import read_path
from headrace.times import duration, unix

Count = Annotated[int, Field(strict=True)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


LEAST_CAPACITY = 1000
"""Records that one lane may hold at least, unless less is written."""

MOST_CAPACITY = 1_000_000


class Settings(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


OptionsModel: TypeAlias = type[Settings]
"""Of a source block, a destination block, or a section of the config."""


def host_and_port(listen: str) -> tuple[str, int]:
    """The parts of HOST:PORT; an IPv6 host is written in brackets, and returned without.

    Raises:
        ValueError: it is not of that form.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:\[\]/@]+)):([0-9]{1,5})", listen, re.ASCII)
    if found is None or int(found[3]) > 65535:  # noqa: PLR2004 - the last port
        raise ValueError("must be HOST:PORT, as 127.0.0.1:8480 or [::1]:8480, with a port from 0 to 65535; or null")
    return found[1] or found[2], int(found[3])


def _listen(listen: str | None) -> str | None:
    if listen is not None:
        host_and_port(listen)
    return listen


def _moment(value: str | float | None) -> str | float | None:
    if value is not None:
        unix(value)
    return value


def _age(seconds: int | None) -> int | None:
    if seconds is not None and 0 <= seconds < 60:  # noqa: PLR2004 - Lambda's least age
        raise ValueError("must be -1 (no limit) or 60 to 604800: Lambda refuses less than a minute")
    return seconds


class LogSettings(Settings):
    format: Literal["console", "json"] = Field("console", description="One line for people, or one JSON object.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")


class ServiceSettings(Settings):
    """The process: its name, its state, its HTTP port, its end."""

    name: str = Field(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$",
        description="Prefix of leases and checkpoints, label `service` of metrics.",
    )
    state: str | None = Field(
        None,
        description="Where leases and checkpoints are kept: sqlite:PATH serves the copies on one machine, redis://… "
        "those on several, memory: one copy, which forgets. Default: sqlite:./NAME.db.",
    )
    lease_ttl: Seconds = Field(10, ge=1, le=3600, description="Seconds until a copy that fell silent loses its shards.")
    commit_interval: Seconds = Field(
        1, gt=0, le=60, description="Seconds between two checkpoints of a shard; a crash repeats what came after."
    )
    listen: Annotated[str | None, AfterValidator(_listen)] = Field(
        "127.0.0.1:8480",
        description="HOST:PORT for health, metrics and control; port 0 picks one; null switches it off.",
    )
    drain_timeout: Seconds = Field(30, ge=0, le=86400, description="Seconds that a stop waits for handlers.")
    log: LogSettings = Field(LogSettings(), description="How the service logs, to standard error.")


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

    @model_validator(mode="after")
    def _in_order(self) -> Backoff:
        if self.initial > self.maximum:
            raise ValueError("initial must not be above maximum")
        return self


class Filter(Settings):
    """One event pattern."""

    pattern: dict[str, Any] | Annotated[str, Field(max_length=4096)] = Field(
        description="EventBridge's pattern language: a mapping, or its JSON text. How it is read: headrace explain."
    )


def _whole(seconds: float | None) -> float | None:
    """A whole number as people write it."""
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds


class FilterCriteria(Settings):
    filters: list[Filter] = Field(
        [], max_length=10, description="A record is taken when one of them matches; without any, every record is."
    )


class When(Settings):
    """What a rule of a destination fits."""

    classes: list[FailureClass] | None = Field(
        None,
        alias="class",
        min_length=1,
        description="Kinds of failure; any of them fits. bad_answer and too_large are of what the handler returned. "
        "Only of on_failure.",
    )
    pattern: dict[str, Any] | Annotated[str, Field(max_length=4096)] | None = Field(
        None,
        description="An event pattern on the record, as in filter_criteria; of an asynchronous call on its event.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> When:
        if self.classes is None and self.pattern is None:
            raise ValueError("says nothing: give it class or pattern, or leave when out to fit everything")
        return self


class To(Settings):
    """Where records are told to."""

    destination: Any = Field(
        description="{type: …}, an ARN as AWS takes it, a name of destinations:, a list of these (all of them), "
        "or a list of rules {when: {class: […], pattern: …}, to: …}; `headrace connectors` lists the kinds."
    )
    claim_check: Any = Field(
        None,
        description="Where a record is kept whole that is too large for its destination, which is told where it is: "
        "{type: s3, bucket: …}, {type: file, path: FOLDER}, a bucket's ARN, or such a name of destinations:.",
    )


class DestinationConfig(Settings):
    """Where records are told to: settled only when every destination has confirmed."""

    on_failure: To | None = Field(None, description="What was given up.")
    on_success: To | None = Field(
        None,
        description="What succeeded: the record of each invocation, with its succeeded records. Lambda has it for "
        "asynchronous invocations only.",
    )


def _path(path: str) -> str:
    read_path(path)
    return path


Redact: TypeAlias = Annotated[list[Annotated[str, AfterValidator(_path)]], Field(max_length=100)]


def _expression(text: str) -> str:
    compiled(text)
    return text


LONGEST_MEMORY = 366 * 86400
"""Seconds that a verdict may be kept."""


def _kept(value: str | float) -> str | float:
    if not 1 <= duration(value) <= LONGEST_MEMORY:
        raise ValueError("must be from one second to 366 days: 3600, 90s, 30m, 1h30m, 7d")
    return value


class Idempotency(Settings):
    """Which records count as one, so that only the first of them is run."""

    key: Annotated[str, Field(max_length=4096), AfterValidator(_expression)] = Field(
        description="JMESPath over a record as filters see it: body.id. What gives null has no key, and is always run. "
        "Required."
    )
    expires_after: Annotated[str | Seconds, AfterValidator(_kept)] = Field(
        "1h", description="How long a record that was handled is remembered: seconds, or 90s, 30m, 1h30m, 7d."
    )

    @property
    def remembered(self) -> float:
        """Seconds that a verdict is kept."""
        return duration(self.expires_after)


class MappingSettings(Settings):
    """One event source mapping, but for its source and the name of its function."""

    enabled: bool = Field(True, description="false keeps the mapping, and does not poll.")
    batch_size: int | None = Field(None, ge=1, le=10000, description="Records handed over at most together.")
    maximum_batching_window_in_seconds: Annotated[float | None, AfterValidator(_whole)] = Field(
        None, ge=0, le=300, description="Seconds to gather a batch, from its first record."
    )
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(
        [], max_length=1, description="Without it the answer of a handler is ignored, as on Lambda."
    )
    scaling_config: ScalingConfig | None = Field(None, description="Queues: how many batches at the handler at once.")
    response_mode: Literal["aws", "strict"] = Field(
        "aws",
        description="strict refuses answers that AWS reads as success by accident: a misspelt key, an id as a number; "
        "and in key order (FIFO) it fails what follows a failed record of its key.",
    )
    retry_backoff: Backoff | None = Field(
        None, description="Default of queues: none, the visibility time-out rules; of logs: 1 s doubling to 60 s."
    )
    capacity: int | None = Field(
        None,
        ge=1,
        le=MOST_CAPACITY,
        description="Records held by one lane. Default: 10 batches, at least 1,000 and one batch a place.",
    )
    capacity_bytes: int = Field(64 * 2**20, ge=8 * 2**20, description="Bytes of records held by one lane.")
    parallelization_factor: int | None = Field(
        None, ge=1, le=10, description="Batches of one shard at the handler at once, in order for each key."
    )
    bisect_batch_on_function_error: bool | None = Field(None, description="Split a failed batch in two.")
    maximum_retry_attempts: int | None = Field(
        None,
        ge=-1,
        le=10000,
        description="How often a failed batch is tried again; -1: until it expires. Queues: how often a failed message "
        "comes again, by the source's own count of deliveries.",
    )
    maximum_record_age_in_seconds: Annotated[int | None, AfterValidator(_age)] = Field(
        None, ge=-1, le=604800, description="Older records are discarded; -1: never. Lambda takes -1, or 60 and more."
    )
    tumbling_window_in_seconds: int | None = Field(
        None, ge=0, le=900, description="Seconds of a window over which the handler carries state; 0: none."
    )
    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] | None = Field(
        None, description="Where a log is read from when nothing is remembered."
    )
    starting_position_timestamp: Annotated[str | float | None, AfterValidator(_moment)] = Field(
        None, description="With AT_TIMESTAMP, and only with it: Unix seconds or an ISO 8601 time."
    )
    on_missing_positions: Literal["begin", "fail"] | None = Field(
        None,
        description="When the state store has no positions of a stream: begin (the default) at starting_position; fail "
        "stops the mapping, and says so, until headrace seek tells where to begin: an emptied store looks like a first "
        "start to a machine that never saw it.",
    )
    filter_criteria: FilterCriteria | None = Field(
        None,
        description="Which records are wanted: {filters: [{pattern: …}]}; {} is all. A queue's others are deleted.",
    )
    destination_config: DestinationConfig | None = Field(
        None,
        description="Where records are told to. Without on_failure what is given up is dropped, and counted.",
    )
    idempotency: Idempotency | None = Field(
        None, description="Which records count as one: the first is run, and the others are settled when it succeeded."
    )
    redact: Redact | None = Field(
        None,
        description="Paths into a record, as filters see it, that no destination, log or state shows: "
        "body.card.number, body.items.*.email.",
    )
    failure_payload: Literal["metadata", "full"] | None = Field(
        None,
        description="What a failure record holds: where its records are (logs' default, as on AWS), or the records and "
        "the error too. Queues: always full; an S3 bucket is always sent the records.",
    )

    @property
    def maximum_concurrency(self) -> int:
        """Batches at the handler at once, as written or by default."""
        return (self.scaling_config or ScalingConfig()).maximum_concurrency
