"""What a cluster is asked beside a membership, through a handle of librdkafka that joins nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from threading import Lock
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Partition

from headrace_connectors.kafka.client import Offset, TopicPartition
from headrace_connectors.kafka.logs import LIBRDKAFKA
from headrace_connectors.kafka.watching import Watch

BEGINNING: Final = -2
END: Final = -1
"""What ListOffsets takes for a time; of an isolation level, the end is where the next record will be that it shows."""

UNKNOWN: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # noqa: SLF001 - librdkafka's own codes are called so


class Questions:
    """One at a time, each for at most its seconds; closed while none is asked: librdkafka's end would take it along."""

    def __init__(self, settings: Mapping[str, Any], group: str, watch: Watch) -> None:
        self._asking, self._closed = Lock(), False
        self._consumer = Consumer(
            {
                **settings,
                "group.id": group,
                "isolation.level": "read_committed",
                "allow.auto.create.topics": False,
                "enable.auto.commit": False,
                "error_cb": watch.told,
                "logger": LIBRDKAFKA,
            }
        )

    def reach(self, topic: str) -> None:
        """Or raise what keeps us: librdkafka itself would try for ever, and say nothing."""
        try:
            self.partitions(topic)
        except KafkaException:
            self.close()
            raise

    def committed(self, parts: Sequence[TopicPartition], seconds: float) -> dict[TopicPartition, Offset]:
        found = self._ask(lambda consumer: consumer.committed([Partition(*part) for part in parts], timeout=seconds))
        return {_name(one): Offset(one.offset, one.metadata or "") for one in raise_of(found) if one.offset >= 0}

    def offsets(self, parts: Sequence[TopicPartition], milliseconds: int, seconds: float) -> dict[TopicPartition, int]:
        """The first of that time or younger; -1 where there is none."""
        wanted = [Partition(*part, milliseconds) for part in parts]
        found = self._ask(lambda consumer: consumer.offsets_for_times(wanted, timeout=seconds))
        return {_name(one): one.offset for one in raise_of(found)}

    def partitions(self, topic: str) -> list[int]:
        told = self._ask(lambda consumer: consumer.list_topics(topic, timeout=10)).topics[topic]
        if told.error is None:
            return sorted(told.partitions)
        if told.error.code() in UNKNOWN:
            return []
        raise KafkaException(told.error)

    def close(self) -> None:
        with self._asking:
            self._closed = True
            self._consumer.close()

    def _ask(self, question: Any) -> Any:
        with self._asking:
            if self._closed:
                raise RuntimeError("the consumer is closed")
            try:
                return question(self._consumer)
            finally:
                self._consumer.poll(0)  # for what the connections said


def raise_of(parts: Collection[Partition]) -> Collection[Partition]:
    """The same; an answer has an entry for each partition, and each may be a refusal, which is raised."""
    for one in parts:
        if one.error is not None:
            raise KafkaException(one.error)
    return parts


def _name(one: Partition) -> TopicPartition:
    return TopicPartition(one.topic, one.partition)
