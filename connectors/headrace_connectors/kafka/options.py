"""What may be written about a Kafka source, and what is wrong or dangerous in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from headrace.errors import Fault
from headrace.plugins import Opening
from headrace.times import unix
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.consistency import faults, warnings
from headrace_connectors.kafka.present.shapes import Presentation
from headrace_connectors.kafka.presenting import checked_arn, wrong_with

OnTrimmed = Literal["fail", "skip"]
Strategy = Literal["cooperative-sticky", "range", "roundrobin"]
Client = Literal["kafka-python", "confluent"]
GroupProtocol = Literal["classic", "consumer"]

DEFAULTS: Final[Mapping[str, object]] = {
    "batch_size": 100,
    "maximum_batching_window_in_seconds": 0.5,
    "bisect_batch_on_function_error": False,
    "maximum_record_age_in_seconds": -1,
    "maximum_retry_attempts": -1,
    "parallelization_factor": 1,
    "starting_position": "TRIM_HORIZON",
}
"""As recorded of a fresh mapping on AWS, and its window of 500 ms (lambda-semantics 1.1, 1.2)."""

REFUSES: Final[Mapping[str, str]] = {
    "scaling_config": "a partition's batches go in order: set parallelization_factor for several at once",
    "on_missing_positions": "the group keeps its positions in Kafka: no store of ours is emptied of them; take it out",
    "tumbling_window_in_seconds": "a window's state has no place beside an offset; AWS has windows for streams only",
}


def _topics(topics: list[str]) -> list[str]:
    """By Lambda's pattern and length (lambda-semantics 1.1)."""
    for topic in topics:
        if not re.fullmatch(r"[^.][a-zA-Z0-9_.-]{0,248}", topic, re.ASCII) or topic == "..":
            raise ValueError(f"{topic!r} is no topic: 1 to 249 letters, digits, _ . and -, not beginning with a dot")
    if len(set(topics)) < len(topics):
        raise ValueError("names a topic twice")
    return topics


class KafkaOptions(KafkaSettings):
    """`source: {type: kafka, …}`."""

    topics: Annotated[list[str], Field(min_length=1), AfterValidator(_topics)] = Field(
        description="Topics to read. Required. AWS takes exactly one."
    )
    client: Client = Field(
        "kafka-python",
        description="The library that reads: kafka-python, pure Python, or confluent, which costs a sixth of it and is "
        "not installed by itself: pip install headrace[confluent].",
    )
    consumer_group_id: str | None = Field(
        None, min_length=1, max_length=200, description="The consumer group. Default: the mapping's UUID."
    )
    group_instance_id: str | None = Field(
        None,
        min_length=1,
        max_length=249,
        description="Static membership: a copy that starts again within session_timeout_ms gets its partitions back "
        "without a rebalance. Each copy needs its own.",
    )
    partition_assignment_strategy: Strategy = Field(
        "cooperative-sticky",
        description="How partitions are shared. All members of a group need one of the same protocol: "
        "cooperative-sticky moves only what must move, the others stop the whole group for each change.",
    )
    group_protocol: GroupProtocol = Field(
        "classic",
        description="consumer: the brokers share the partitions out, each moves by itself (KIP-848; Kafka 4.0 and "
        "later, client: confluent).",
    )
    session_timeout_ms: int = Field(
        45_000, ge=1000, le=1_800_000, description="Milliseconds of silence after which a copy's partitions move."
    )
    max_poll_interval_ms: int = Field(
        300_000,
        ge=1000,
        description="Milliseconds that a rebalance waits for what is at the handler; then the partitions move anyway.",
    )
    metadata_max_age_ms: int = Field(
        30_000, ge=100, description="Milliseconds after which new topics and partitions are looked for."
    )
    present_as: Presentation = Field(
        "kafka",
        description="The events are those of an SQS queue, a Kinesis stream or a DynamoDB stream: a handler that was "
        "written for one runs as it is. Order and retries stay Kafka's.",
    )
    event_source_arn: Annotated[str | None, AfterValidator(checked_arn)] = Field(
        None,
        description="With present_as: the ARN of the queue, stream or table that the events name. Default: one with "
        "the topic's name, in the section aws's region, of account 000000000000.",
    )
    on_trimmed: OnTrimmed = Field(
        "fail",
        description="When the next record is no longer there: fail stops the partition and says so, skip goes on at "
        "the oldest that is left and counts a gap.",
    )

    @property
    def kip_848(self) -> bool:
        """Whether the brokers share the partitions out."""
        return self.group_protocol == "consumer"


def check(opening: Opening) -> Iterator[Fault]:
    """What AWS, Kafka or we refuse."""
    options: KafkaOptions = opening.options
    yield from faults(options, options.connection(opening), "source")
    if said := wrong_with(options.event_source_arn, options.present_as):
        yield Fault("source.event_source_arn", said)
    yield from _of_client(options)
    where, settings = "starting_position_timestamp", opening.settings
    start, written = settings.starting_position, settings.starting_position_timestamp
    if start == "AT_TIMESTAMP" and written is None:
        yield Fault(where, "is required with starting_position: AT_TIMESTAMP")
    elif start != "AT_TIMESTAMP" and written is not None:
        yield Fault(where, "is only for starting_position: AT_TIMESTAMP; take it out")
    elif written is not None and unix(written) > opening.clock.wall():
        yield Fault(where, "lies in the future; give a time that is past, or starting_position: LATEST")
    if options.max_poll_interval_ms < options.session_timeout_ms:
        yield Fault(
            "source.max_poll_interval_ms",
            f"is less than session_timeout_ms ({options.session_timeout_ms}): raise it, or lower that",
        )


def _of_client(options: KafkaOptions) -> Iterator[Fault]:
    """What the client or the group's protocol has no way to do."""
    if options.client == "confluent" and find_spec("confluent_kafka") is None:
        yield Fault("source.client", "confluent is not installed: pip install headrace[confluent]")
    if not options.kip_848:
        return
    if options.client != "confluent":
        yield Fault(
            "source.group_protocol",
            "consumer is a protocol that kafka-python does not speak; set client: confluent, or take it out",
        )
    for name in ("session_timeout_ms", "partition_assignment_strategy"):
        if name in options.model_fields_set:
            yield Fault(f"source.{name}", "is the brokers' own setting with group_protocol: consumer; take it out")


def warn(opening: Opening) -> Iterator[Fault]:
    """Dangerous, but legal."""
    options: KafkaOptions = opening.options
    yield from warnings(options.connection(opening), "source")
    settings = opening.settings
    limits = (settings.maximum_retry_attempts, settings.maximum_record_age_in_seconds)
    if opening.on_failure is None and all(limit is None or limit < 0 for limit in limits):
        yield Fault(
            "maximum_retry_attempts",
            "there is no limit and no failure destination: a batch that always fails holds its partition until the "
            "topic drops its records; set maximum_retry_attempts and destination_config.on_failure",
        )
    if opening.function_timeout * 1000 >= options.max_poll_interval_ms:
        yield Fault(
            "source.max_poll_interval_ms",
            f"is not longer than the function's timeout ({opening.function_timeout:g} s): a call that takes so long "
            "when partitions move comes again elsewhere; raise it",
        )
