"""Where a group begins, with members that are killed before it has committed anything."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from kafka.errors import RetriableError

from support.copies import Copies, held
from support.kafka import Cluster
from support.kafka_ways import Readers, Way
from support.kafkabooks import TopicProducer, watching
from support.service import Service, until
from support.streambooks import StreamBooks

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # kafka-python's, of a broker that went away
    pytest.mark.usefixtures("_nothing_left_open"),
]

PARTITIONS = 8


@pytest.fixture
def books(tmp_path: Path) -> StreamBooks:
    return StreamBooks(tmp_path)


@pytest.fixture
def run(way: Way, launch: Callable[..., Service], books: StreamBooks) -> Readers:
    return Readers(way, launch, books.folder)


KILLED = ["as it has joined", "as it has its partitions"]


@pytest.mark.parametrize("when", KILLED)
async def test_latest_misses_nothing_after_its_start_and_delivers_nothing_older(
    apache_kafka: Cluster, books, run, when
) -> None:
    """Two members start together on a topic that is being written; one is killed before its first commit.

    The start is the commit that made the group's offsets concrete, which lies between the members' start and the first
    look that saw offsets. Mutations: LATEST that is resolved at each open (what came meanwhile is missed); a partition
    without an offset that begins at its own end, or at its beginning while partition 0 has none (older).
    """
    topic, group, servers = apache_kafka.topic(PARTITIONS), run.group(apache_kafka), apache_kafka.bootstrap_servers
    producer, enough = TopicProducer(servers, topic, PARTITIONS), asyncio.Event()
    await producer.put(500)
    async with watching(servers, group, topic, PARTITIONS) as watch, asyncio.TaskGroup() as tasks:
        tasks.create_task(producer.keep(1500, 10, enough, chunk=20))
        began = time.time()
        copies = Copies(lambda: run(servers, topic, group, seconds=0.5, starting_position="LATEST"), 2)
        await _killed_early(apache_kafka, group, copies, when)
        await until(lambda: len(watch.writes) > 0, why=copies.log_text)
        concrete = time.time()
        await books.some_done(copies.log_text)
        enough.set()
    expected = {number for number, at in producer.sent.items() if at > concrete}
    await until(lambda: books.done() >= expected, why=copies.log_text)
    await until(lambda: sum(len(held(one)) for one in copies.running) == PARTITIONS, why=copies.log_text)
    await asyncio.sleep(2)
    await copies.stop()
    done = books.done()
    assert not {number for number in done if producer.taken[number] < began}
    for shard in {one.shard for one in producer.produced}:
        numbers = [one.number for one in sorted(producer.produced, key=lambda one: one.sequence) if one.shard == shard]
        delivered = [number in done for number in numbers]
        assert delivered == sorted(delivered), f"{shard} has a hole behind its start"


async def test_a_timestamp_begins_at_its_first_record(apache_kafka: Cluster, books, run) -> None:
    """The same at AT_TIMESTAMP: to the record. Mutations: as above; seconds for milliseconds."""
    topic, group, servers = apache_kafka.topic(PARTITIONS), run.group(apache_kafka), apache_kafka.bootstrap_servers
    producer, enough = TopicProducer(servers, topic, PARTITIONS), asyncio.Event()
    await producer.put(500)
    await asyncio.sleep(0.01)
    start = int(time.time() * 1000) / 1000
    position = {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": start}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(producer.keep(1500, 10, enough, chunk=20))
        copies = Copies(lambda: run(servers, topic, group, seconds=0.2, **position), 2)
        await _killed_early(apache_kafka, group, copies, KILLED[0])
        await books.some_done(copies.log_text)
        enough.set()
    expected = {number for number, at in producer.sent.items() if at >= start}
    await until(lambda: books.done() >= expected, why=copies.log_text)
    await copies.stop()
    assert books.done() == expected


async def _killed_early(cluster: Cluster, group: str, copies: Copies, when: str) -> None:
    """The first that is seen in the group, or that has partitions; nothing of it was handled to its end."""

    def joined() -> bool:
        with cluster.admin() as admin, suppress(RetriableError):  # of a broker that was never asked for a group yet
            return len(admin.describe_groups([group])[group]["members"]) > 0
        return False

    if when == KILLED[0]:
        while not await asyncio.to_thread(joined):
            await asyncio.sleep(0.02)
        copies.kill_one(random.Random(0))
    else:
        await until(lambda: any(held(one) for one in copies.running), why=copies.log_text)
        copies.kill(next(index for index, one in enumerate(copies.running) if held(one)))
