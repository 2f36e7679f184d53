"""A testbed's cluster, asked and told by kafka-python: topics, counts of messages, what lies in a topic. Blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, TopicAlreadyExistsError

from headrace.errors import ServerUnavailable
from headrace_connectors.kafka.clients import of_kafka_python
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.message import Message
from headrace_connectors.kafka.refusals import sentence
from headrace_connectors.kafka.watching import Watch

LARGEST: Final = 16 * 2**20
"""Bytes of a message: a failure record holds its record whole, and so does a retry topic."""

FETCH_MS: Final = 100
LONGER_THAN_A_FETCH_MS: Final = 300

AT_THE_END: Final = 100
"""Polls at the end of topics, at most: others may be writing to them."""

SECONDS: Final = 10.0
"""What a cluster may take to answer, before it is said that it does not."""


class Cluster:
    """How it is reached. A call connects anew: a command makes few of them.

    Raises, from every call:
        ServerUnavailable: it cannot be reached, or does not serve us, in words for people.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    def make_topics(self, partitions: Mapping[str, int]) -> None:
        """Those that are not there yet."""
        with self._asked(KafkaAdminClient, request_timeout_ms=int(SECONDS * 1000)) as admin:
            there = set(admin.list_topics())
            wanted = {
                topic: {
                    "num_partitions": count,
                    "replication_factor": -1,
                    "configs": {"max.message.bytes": str(LARGEST)},
                }
                for topic, count in partitions.items()
                if topic not in there
            }
            if wanted:
                try:
                    admin.create_topics(wanted, wait_for_metadata=True)
                except TopicAlreadyExistsError:  # another command of ours was quicker
                    admin.wait_for_topics(list(wanted))

    def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """Messages that were ever written to each; none to what is not there."""
        with self._consumer() as consumer:
            found = {topic: _partitions(consumer, topic) for topic in topics}
            ends = _ends(consumer, [part for parts in found.values() for part in parts])
        return {topic: sum(ends[part] for part in parts) for topic, parts in found.items()}

    def waiting(self, group: str, topics: Sequence[str]) -> int:
        """Messages of *topics* that *group* has not settled."""
        with self._consumer(group_id=group) as consumer:
            parts = [part for topic in topics for part in _partitions(consumer, topic)]
            begin = consumer.beginning_offsets(parts)
            settled = {part: consumer.committed(part) or begin[part] for part in parts}
            return sum(max(0, end - settled[part]) for part, end in _ends(consumer, parts).items())

    def read(self, topic: str) -> Iterator[Message]:
        """What lies in *topic* now."""
        with self._consumer() as consumer:
            parts = _partitions(consumer, topic)
            ends = _ends(consumer, parts)
            consumer.seek_to_beginning(*parts)
            while any(consumer.position(part) < ends[part] for part in parts):
                for messages in consumer.poll(timeout_ms=500).values():
                    yield from messages

    def _consumer(self, **more: Any) -> Any:
        return self._asked(KafkaConsumer, enable_auto_commit=False, fetch_max_wait_ms=FETCH_MS, **more)

    @contextmanager
    def _asked(self, kind: Any, **more: Any) -> Iterator[Any]:
        watch = Watch()
        try:
            client = kind(
                **of_kafka_python(self._settings),
                kafka_client=watch.client,
                bootstrap_timeout_ms=int(SECONDS * 1000),
                **more,
            )
        except (KafkaError, OSError) as error:
            watch.abandon()
            raise ServerUnavailable(sentence(error, self._settings, watch.last)) from error
        try:
            yield client
        except KafkaError as error:
            raise ServerUnavailable(sentence(error, self._settings, watch.last)) from error
        finally:
            client.close()


def _partitions(consumer: Any, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]


def _ends(consumer: Any, parts: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the next message will be in each: the broker from PyPI says where its last batch begins, so it is read."""
    consumer.assign(parts)
    for part, end in consumer.end_offsets(parts).items() if parts else ():
        consumer.seek(part, end)
    for _ in range(AT_THE_END):
        if not consumer.poll(timeout_ms=LONGER_THAN_A_FETCH_MS):
            break
    return {part: consumer.position(part) for part in parts}
