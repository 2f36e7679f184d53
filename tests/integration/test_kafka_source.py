"""The whole source on Apache Kafka, by both clients: once, in order, committed; and when topics change."""

from __future__ import annotations

import asyncio
import time

import confluent_kafka
import pytest
from kafka import KafkaProducer
from kafka import TopicPartition as Theirs

from headrace.poller import Poller
from headrace_connectors.kafka.logs import LIBRDKAFKA
from support.kafka import Cluster
from support.kafka_members import produce
from support.kafka_polling import Handled, at_rest, committed, running, until


@pytest.fixture(params=["kafka-python", "confluent"])
def client(request: pytest.FixtureRequest) -> str:
    return request.param


async def no_lag(poller: Poller) -> None:
    """Once it is committed."""
    async with asyncio.timeout(60):
        while await poller._mapping.lag() != 0:
            await asyncio.sleep(0.1)


async def test_once_in_order_committed_and_not_again(apache_kafka: Cluster, client: str) -> None:
    """Mutation: a commit of the last record instead of the one behind it."""
    topic, group, servers = apache_kafka.topic(4), apache_kafka.group(), apache_kafka.bootstrap_servers
    produce(servers, topic, dict.fromkeys(range(4), 500))
    handled = Handled()
    async with running(servers, topic, group, handled, client=client) as poller:
        await until(lambda: len(handled.records) >= 2000)
        await at_rest(poller)
        await no_lag(poller)
        assert poller.condition.state == "polling"
    assert all(handled.offsets(partition) == list(range(500)) for partition in range(4))
    assert committed(apache_kafka, group, topic) == dict.fromkeys(range(4), 500)
    again = Handled()
    produce(servers, topic, {0: 1})
    async with running(servers, topic, group, again, client=client):
        await until(lambda: again.records)
    assert again.places == [(topic, 0, 500)]


async def test_what_a_filter_takes_out_leaves_no_lag(apache_kafka: Cluster, client: str) -> None:
    """Mutation: filtered records not settled."""
    topic, group, servers = apache_kafka.topic(2), apache_kafka.group(), apache_kafka.bootstrap_servers
    produce(servers, topic, {0: 300, 1: 300}, b'{"kind": "boring"}')
    handled, wanted = Handled(), {"filters": [{"pattern": '{"value": {"kind": ["good"]}}'}]}
    async with running(servers, topic, group, handled, client=client, filter_criteria=wanted) as poller:
        await until(lambda: sum(tally.filtered_out for tally in poller.tally.values()) == 600)
        await at_rest(poller)
    assert committed(apache_kafka, group, topic) == {0: 300, 1: 300}
    assert handled.records == []


async def test_markers_leave_no_lag(apache_kafka: Cluster, client: str) -> None:
    """Mutation: the position of the last record committed, at rest too."""
    topic, group, servers = apache_kafka.topic(1), apache_kafka.group(), apache_kafka.bootstrap_servers
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": servers, "transactional.id": apache_kafka.name("tx"), "logger": LIBRDKAFKA}
    )
    producer.init_transactions(30)
    for outcome in ("commit", "abort", "abort"):
        producer.begin_transaction()
        for _ in range(5):
            producer.produce(topic, outcome.encode(), partition=0)
        producer.flush(30)
        producer.commit_transaction(30) if outcome == "commit" else producer.abort_transaction(30)
    handled = Handled()
    async with running(servers, topic, group, handled, client=client) as poller:
        await until(lambda: len(handled.records) == 5)
        await at_rest(poller)
        await no_lag(poller)
    assert committed(apache_kafka, group, topic) == {0: 18}
    assert set(handled.values) == {b"commit"}


async def test_holes_of_compaction_leave_no_lag(apache_kafka: Cluster, client: str) -> None:
    """Mutation: a gap in offsets waited for."""
    topic = apache_kafka.topic(
        1, cleanup_policy="compact", segment_ms="300", min_cleanable_dirty_ratio="0.01", min_compaction_lag_ms="0"
    )
    group, servers = apache_kafka.group(), apache_kafka.bootstrap_servers
    producer = KafkaProducer(bootstrap_servers=servers)
    for _ in range(3):
        for number in range(100):
            producer.send(topic, b"v", key=b"%d" % (number % 7), partition=0)
        producer.flush()
        await asyncio.sleep(0.5)  # a segment's age, after which the next record begins another
    producer.send(topic, b"last", key=b"last", partition=0)
    producer.flush()
    producer.close()
    await asyncio.to_thread(_until_compacted, servers, topic, below=100)
    handled = Handled()
    async with running(servers, topic, group, handled, client=client) as poller:
        await until(lambda: b"last" in handled.values)
        await at_rest(poller)
    assert len(handled.records) < 100
    assert committed(apache_kafka, group, topic) == {0: 301}


def _until_compacted(servers: str, topic: str, *, below: int) -> None:
    end = time.monotonic() + 60
    while _count(servers, topic) >= below:
        assert time.monotonic() < end, "the broker has not compacted it"


def _count(servers: str, topic: str) -> int:
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": servers, "group.id": "none", "enable.partition.eof": True, "enable.auto.commit": False}
    )
    reader.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    count = 0
    while (message := reader.poll(10)) is not None and message.error() is None:
        count += 1
    reader.close()
    return count


async def test_new_partitions_are_read_from_their_beginning(apache_kafka: Cluster, client: str) -> None:
    """Mutation: LATEST for a partition that is new."""
    topic, group, servers = apache_kafka.topic(1), apache_kafka.group(), apache_kafka.bootstrap_servers
    produce(servers, topic, {0: 5})
    handled = Handled()
    async with running(
        servers, topic, group, handled, client=client, starting_position="LATEST", metadata_max_age_ms=1000
    ) as poller:
        await until(lambda: poller.tally)
        produce(servers, topic, {0: 5})
        await until(lambda: len(handled.records) == 5)
        with apache_kafka.admin() as admin:
            admin.create_partitions({topic: 3})
        await asyncio.to_thread(_produce_when_there, servers, topic)
        await until(lambda: len(handled.records) == 15)
    assert [handled.offsets(partition) for partition in range(3)] == [
        list(range(5, 10)),
        list(range(5)),
        list(range(5)),
    ]


def _produce_when_there(servers: str, topic: str) -> None:
    end = time.monotonic() + 30
    producer = KafkaProducer(bootstrap_servers=servers)
    while len(producer.partitions_for(topic)) < 3:
        assert time.monotonic() < end
        producer.close()
        producer = KafkaProducer(bootstrap_servers=servers)
    producer.close()
    produce(servers, topic, {1: 5, 2: 5})


async def test_a_topic_that_is_not_there_is_said_and_waited_for(apache_kafka: Cluster, client: str) -> None:
    """Mutation: no look at topics: neither client says anything."""
    topic, group, servers = apache_kafka.topic(1), apache_kafka.group(), apache_kafka.bootstrap_servers
    produce(servers, topic, {0: 5})
    handled = Handled()
    async with running(servers, topic, group, handled, client=client, metadata_max_age_ms=1000) as poller:
        await until(lambda: len(handled.records) == 5)
        with apache_kafka.admin() as admin:
            admin.delete_topics([topic])
        await until(lambda: poller.condition.state == "unavailable" and topic in poller.condition.reason)
        apache_kafka.topic(1, topic)
        await until(lambda: poller.condition.state == "polling")


@pytest.mark.parametrize("policy", ["fail", "skip"])
async def test_what_was_trimmed(apache_kafka: Cluster, client: str, policy: str) -> None:
    """Mutations: skip and fail exchanged; no seek after the fault."""
    topic, group, servers = apache_kafka.topic(1), apache_kafka.group(), apache_kafka.bootstrap_servers
    produce(servers, topic, {0: 10})
    handled = Handled()
    async with running(servers, topic, group, handled, client=client) as poller:
        await until(lambda: len(handled.records) == 10)
        await at_rest(poller)
    produce(servers, topic, {0: 20})
    with apache_kafka.admin() as admin:
        admin.delete_records({Theirs(topic, 0): 25})
    async with running(servers, topic, group, handled, client=client, on_trimmed=policy) as poller:
        if policy == "skip":
            await until(lambda: len(handled.records) == 15)
            assert [tally.lost_to_retention for tally in poller.tally.values()] == [1]
        else:
            await until(lambda: any(lane.condition.state == "trimmed" for lane in poller._mapping.lanes.values()))
            assert len(handled.records) == 10
    assert committed(apache_kafka, group, topic) == {0: 30 if policy == "skip" else 10}


@pytest.mark.parametrize("start", ["LATEST", "AT_TIMESTAMP"])
async def test_where_it_begins(apache_kafka: Cluster, client: str, start: str) -> None:
    """Mutations: LATEST as TRIM_HORIZON; a time in milliseconds."""
    topic, group, servers = apache_kafka.topic(2), apache_kafka.group(), apache_kafka.bootstrap_servers
    produce(servers, topic, {0: 10, 1: 10})
    await asyncio.sleep(0.05)
    between = time.time()
    await asyncio.sleep(0.05)
    handled, more = Handled(), {}
    if start == "AT_TIMESTAMP":
        produce(servers, topic, {0: 3, 1: 3})
        more["starting_position_timestamp"] = between
    async with running(servers, topic, group, handled, client=client, starting_position=start, **more) as poller:
        await until(lambda: len(poller._mapping.lanes) == 2)
        if start == "LATEST":
            produce(servers, topic, {0: 3, 1: 3})
        await until(lambda: len(handled.records) == 6)
    assert handled.offsets(0) == handled.offsets(1) == [10, 11, 12]
