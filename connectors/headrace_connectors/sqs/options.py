"""What may be written about an SQS source, and what is wrong or dangerous in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, field_validator

from headrace.errors import Fault
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace_connectors.aws import AwsSettings
from headrace_connectors.sqs.inbox import MOST
from headrace_connectors.sqs.queue import Queue, account_of, address, checked_url, name_of, region_of
from headrace_connectors.sqs.unwrap import Kind

NO_POSITION = "an SQS queue has no positions: a message is received, and deleted when it is done with"

DEFAULTS: dict[str, object] = {"batch_size": 10, "maximum_batching_window_in_seconds": 0}

REFUSES: dict[str, str] = {
    "starting_position": NO_POSITION,
    "starting_position_timestamp": NO_POSITION,
    "on_missing_positions": NO_POSITION,
    "parallelization_factor": "a queue has no shards: set scaling_config.maximum_concurrency",
    "bisect_batch_on_function_error": "a queue's failed messages return one by one: set "
    "function_response_types: [ReportBatchItemFailures]",
    "maximum_record_age_in_seconds": "SQS drops messages by itself after the queue's MessageRetentionPeriod",
    "tumbling_window_in_seconds": "windows need ordered records: a Kinesis or DynamoDB stream",
}


class SqsOptions(AwsSettings):
    """`source: {type: sqs, …}`."""

    queue_url: str = Field(description="The queue's URL, as GetQueueUrl gives it. Required.")
    visibility_timeout: int | None = Field(
        None, ge=1, le=43200, description="Seconds that a receive asks for; default: the queue's own."
    )
    maximum_visibility: int = Field(
        43200, ge=1, le=43200, description="Seconds after its receive that a message is renewed at most; SQS: 12 h."
    )

    one_group_per_batch: bool = Field(
        False, description="FIFO queues: a batch holds messages of one group; Lambda may mix groups in one."
    )

    unwrap: list[Kind] = Field(
        [],
        description="Envelopes that are taken off the body, each only if listed: sns, s3 (keys decoded, test events "
        "not handed over), eventbridge.",
        json_schema_extra={"uniqueItems": True},
    )

    @field_validator("unwrap")
    @classmethod
    def _once_each(cls, value: list[Kind]) -> list[Kind]:
        if len(set(value)) < len(value):
            raise ValueError("lists a kind twice; once is enough, however deep it nests")
        return value

    @field_validator("queue_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        return checked_url(value)

    @property
    def queue_name(self) -> str:
        return name_of(self.queue_url)

    @property
    def fifo(self) -> bool:
        """By its name: SQS allows `.fifo` at the end of a FIFO queue's alone, and demands it there."""
        return self.queue_name.endswith(".fifo")

    def address(self, opening: Opening) -> str:
        """What tells the queue from another."""
        return address(self.aws(opening), account_of(self.queue_url), self.queue_name)

    def aws(self, opening: Opening) -> AwsSettings:
        """The source's own settings, then the config's, then what the queue's URL says."""
        section = opening.sections.get("aws")
        merged = self.over(section if isinstance(section, AwsSettings) else AwsSettings())
        return merged if merged.region else merged.model_copy(update={"region": region_of(self.queue_url)})


def check(opening: Opening) -> Iterator[Fault]:
    """What AWS refuses when a mapping is created, in its words where they are recorded (lambda-semantics 1.3, 1.4)."""
    options: SqsOptions = opening.options
    settings = opening.settings
    if options.fifo:
        yield from _check_fifo(settings)
    elif options.one_group_per_batch:
        yield Fault("source.one_group_per_batch", "only a FIFO queue has message groups; take it out")
    elif (settings.batch_size or 0) > MOST and not settings.maximum_batching_window_in_seconds:
        yield Fault(
            "batch_size",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10: "
            "set maximum_batching_window_in_seconds to 1 or more",
        )
    if options.visibility_timeout and options.visibility_timeout > options.maximum_visibility:
        yield Fault("source.visibility_timeout", "is longer than maximum_visibility, to which it could be renewed")


def _check_fifo(settings: MappingSettings) -> Iterator[Fault]:
    if (settings.batch_size or 0) > MOST:
        yield Fault("batch_size", "must be at most 10 for a FIFO queue: one receive is one batch")
    if settings.maximum_batching_window_in_seconds:
        yield Fault(
            "maximum_batching_window_in_seconds",
            "Batching window is not supported for FIFO queues: take it out; one receive is one batch",
        )


def warn(opening: Opening) -> Iterator[Fault]:
    """Dangerous, but legal."""
    options: SqsOptions = opening.options
    if options.fifo and opening.settings.function_response_types and opening.settings.response_mode == "aws":
        yield Fault(
            "response_mode",
            "aws deletes a message that the handler does not list, even behind a failed one of its group: the handler "
            "must list all that follows in the group, or response_mode must be strict",
        )
    if options.visibility_timeout:
        yield from _short(opening, options.visibility_timeout)


def warn_of(queue: Queue, opening: Opening) -> Iterator[Fault]:
    """Dangerous, as the server describes the queue."""
    if not opening.options.visibility_timeout:
        yield from _short(opening, queue.visibility_timeout)
    limit = opening.settings.maximum_retry_attempts
    if queue.max_receive_count is None:
        if limit is None or limit < 0:
            yield Fault(
                "source.queue_url",
                "the queue has no redrive policy: a message that always fails returns until it expires",
            )
    elif queue.max_receive_count == 1:
        yield Fault(
            "source.queue_url",
            "maxReceiveCount is 1: a message whose first delivery is cut short goes to the dead letters unhandled; "
            "AWS advises 5 or more",
        )
    if queue.max_receive_count is not None and limit is not None and queue.max_receive_count <= limit:
        yield Fault(
            "maximum_retry_attempts",
            f"the queue's redrive policy takes a message after {queue.max_receive_count} receives, before it can fail "
            f"{limit + 1} times: set maxReceiveCount to more than that, or lower this limit",
        )


def _short(opening: Opening, visibility: int) -> Iterator[Fault]:
    """AWS refuses the first and advises against the second; headrace renews visibility, so both are warnings."""
    window = opening.settings.maximum_batching_window_in_seconds or 0
    timeout = opening.function_timeout
    if visibility < timeout:
        yield Fault(
            "source.visibility_timeout",
            f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout:g} seconds. "
            "headrace renews it while the handler runs; after a crash the message returns sooner than Lambda allows",
        )
    elif visibility < timeout + window:
        yield Fault(
            "source.visibility_timeout",
            f"the visibility time-out of {visibility} s is shorter than the function's time-out of {timeout:g} s plus "
            f"the window of {window} s: messages live on renewals from the start",
        )
