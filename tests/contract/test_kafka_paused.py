"""A partition that is paused halfway through what the client has fetched of it: the rest comes when it is resumed."""

from __future__ import annotations

import pytest

from headrace.clock import SYSTEM
from headrace_connectors.kafka.client import TopicPartition
from support.kafka import Cluster
from support.kafka_members import Driven, member, produce, until


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_what_was_in_hand_of_a_paused_partition_comes_when_it_is_resumed(apache_kafka: Cluster, client: str) -> None:
    """Another partition was read to its end meanwhile. Mutation: kafka-python's own way (`_take_up_again` left out)."""
    topic = apache_kafka.topic(2)
    produce(apache_kafka.bootstrap_servers, topic, {0: 6000, 1: 10})
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    with member(apache_kafka.bootstrap_servers, apache_kafka.group(), [topic], client=client) as one:
        until(lambda: len(one.ours) == 2)
        found = one.do(lambda: _halfway(one, first, second))
    assert [offset for name, offset in found if name == 0] == list(range(6000))
    assert [offset for name, offset in found if name == 1] == list(range(10))


def _halfway(one: Driven, first: TopicPartition, second: TopicPartition) -> list[tuple[int, int]]:
    """In the thread that polls: what came, as partitions and offsets."""
    client, found = one.client, list[tuple[int, int]]()

    def poll(seconds: float, count: int) -> None:
        """Until so many more have come, or the time is over."""
        wanted, end = len(found) + count, SYSTEM.boot() + seconds
        while len(found) < wanted and SYSTEM.boot() < end:
            for messages in client.poll(0.1).values():
                found.extend((message.partition, message.offset) for message in messages)

    client.seek(first, 0)
    client.resume(first)
    poll(20, 1)
    client.pause(first)
    poll(0.5, 6000)
    client.seek(second, 0)
    client.resume(second)
    poll(20, 10)
    client.resume(first)
    poll(10, 6010 - len(found))
    return found
