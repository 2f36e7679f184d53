"""What may be written about a Kafka source whose partitions are a queue's."""

from __future__ import annotations

from pydantic import Field

from headrace_connectors.kafka.options import KafkaOptions


class KafkaQueueOptions(KafkaOptions):
    """A Kafka source's, with `present_as: sqs`, and what a queue has besides."""

    retry_topic: str | None = Field(
        None,
        description="Where what failed waits for its time: one of the topics. Without one it waits where it was read, "
        "and its group with it: a FIFO queue.",
    )
    visibility_timeout: float = Field(30, ge=0, description="Seconds until a failed record comes again.")
