"""Topics read by several real processes of one group, which are killed, stopped, cut off and started anew.

The judge is `headrace.testing.lineage`: it has the broker's answers to the producer, the handlers' files, and looks at
the group's committed offsets. HEADRACE_RECORDS (10,000) and HEADRACE_KILLS (6) make the first test larger. What each
promise is, which test proves it and of which mutation that dies stands in docs/promises.md, with the times printed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headrace.testing import FaultProxy
from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.server import held_ports
from support import kafka as brokers
from support.copies import Copies, held, lost, measured
from support.deadly import care, given_up
from support.kafka import Cluster
from support.kafka_ways import SESSION, WAYS, Readers, Way
from support.kafkabooks import TopicProducer, all_committed, hold, watching
from support.outages import cut_off, down, made_meanwhile
from support.service import Service, boot, until
from support.stops import Stops, nothing_more, stopped
from support.streambooks import StreamBooks

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # kafka-python's, of a broker that went away
    pytest.mark.usefixtures("_nothing_left_open"),
]

RECORDS = int(os.environ.get("HEADRACE_RECORDS", "10000"))
KILLS = int(os.environ.get("HEADRACE_KILLS", "6"))
PARTITIONS = 8
AWAY = 2.5 * SESSION


@pytest.fixture
def books(tmp_path: Path) -> StreamBooks:
    return StreamBooks(tmp_path)


@pytest.fixture
def run(way: Way, launch: Callable[..., Service], books: StreamBooks) -> Readers:
    return Readers(way, launch, books.folder)


@pytest.mark.parametrize("way", WAYS, ids=str, indirect=True)
async def test_members_join_leave_and_are_killed_at_random_under_load(apache_kafka: Cluster, books, run) -> None:
    """Two or three of them. Order holds per partition, and so per key; only who was killed leaves repeats.

    Mutations: offsets of what was read, not of what was settled (lost, gap); a revoke that is answered before the lane
    is closed (repeats without a cause); records of an assignment that are handed over under the next (overtaken).
    """
    topic, group = apache_kafka.topic(PARTITIONS), run.group(apache_kafka)
    servers, chance, enough = apache_kafka.bootstrap_servers, random.Random(1), asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.01), 2)
    async with watching(servers, group, topic, PARTITIONS) as watch:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(RECORDS, KILLS * 3, enough))
            while len(copies.killed) < KILLS:
                await books.some_done(copies.log_text)
                await asyncio.sleep(chance.uniform(0.2, 2.5))
                if len(copies.running) == 2:
                    copies.join()
                elif chance.random() < 0.4:
                    await copies.leave_one(chance)
                else:
                    copies.kill_one(chance)
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await all_committed(producer.produced, watch)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken=copies.broken())
    measured(copies, found.repeats)
    assert found.settled >= RECORDS
    assert set(found.repeats) <= {"kill"}


@pytest.mark.parametrize("way", WAYS, ids=str, indirect=True)
async def test_a_rolling_restart_of_four_members_repeats_nothing(apache_kafka: Cluster, books, run) -> None:
    """By SIGTERM, each after the one before has its partitions. Mutation: a stop that does not commit first."""
    topic, group = apache_kafka.topic(PARTITIONS), run.group(apache_kafka)
    servers, enough = apache_kafka.bootstrap_servers, asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.02), 4)
    async with watching(servers, group, topic, PARTITIONS) as watch:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(RECORDS // 2, 20, enough, chunk=200))
            for _ in range(4):
                await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
                await books.some_done(copies.log_text)
                oldest = copies.running.pop(0)
                oldest.terminate()
                assert await oldest.ended() == 0, oldest.log_text()
                copies.join()
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken={})
    assert not found.repeats, found


@pytest.mark.parametrize("way", WAYS, ids=str, indirect=True)
async def test_a_member_that_was_stopped_past_its_session_does_nothing_more_of_what_it_lost(
    apache_kafka: Cluster, books, run
) -> None:
    """SIGSTOP for two sessions. A call that was made before it goes on where it was: that repeat has a name.

    Mutations: a lane that ignores its deadline (calls made after it); a member that believes what it heard before it
    stood still; a cursor that commits what was lost under the generation that came after (gap, behind).
    """
    topic, group = apache_kafka.topic(PARTITIONS), run.group(apache_kafka)
    servers, enough = apache_kafka.bootstrap_servers, asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.2, batch_size=20), 2)
    stops: Stops = {}
    async with watching(servers, group, topic, PARTITIONS) as watch:
        await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(3000, 20, enough, chunk=30))
            sleeper = copies.running[0]
            await books.some_done(copies.log_text)
            begin, leases = await stopped(sleeper)
            await asyncio.sleep(2 * SESSION)
            stops.update(dict.fromkeys(leases, (begin, boot())))
            sleeper.resume()
            await until(lambda: len(lost([sleeper])) == len(leases), why=copies.log_text)
            await until(lambda: held(sleeper), why=copies.log_text)
            await books.some_done(copies.log_text)
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await copies.stop()
        broken = {**copies.broken(), **dict.fromkeys(stops, "stopped")}
        found = await hold(books, producer.produced, watch, broken=broken)
    nothing_more(books, watch.writes, stops)
    assert set(found.repeats) <= {"stopped"}


@asynccontextmanager
async def behind_a_line() -> AsyncIterator[tuple[ApacheKafka, FaultProxy]]:
    """A broker of a test's own, with a listener that shows itself as the line before it."""
    broker = brokers.apache(listeners={"LINE": "PLAINTEXT"})
    with held_ports(len(broker.ports)) as ports:
        broker.ports = dict(zip(broker.ports, ports, strict=True))
        async with FaultProxy("127.0.0.1", broker.ports["LINE"]) as line:
            shown = f"PLAINTEXT://{broker.bootstrap_servers},LINE://{line.address}"
            broker.properties["advertised.listeners"] = shown
            try:
                await asyncio.to_thread(broker.start)
                yield broker, line
            finally:
                await asyncio.to_thread(broker.__exit__)


@pytest.mark.parametrize("how", ["stopped", "cut off"])
async def test_a_broker_that_is_away_for_longer_than_a_session(books, run, how) -> None:
    """Work goes on to the deadline, and no further; all comes back by itself.

    Mutations: a lane that ignores its deadline; a member that ends, or never takes again, what it lost.
    """
    async with behind_a_line() as (broker, line):
        cluster, enough = Cluster(broker.bootstrap_servers), asyncio.Event()
        topic, group = cluster.topic(PARTITIONS), run.group(cluster)
        producer = TopicProducer(cluster.bootstrap_servers, topic, PARTITIONS)
        copies = Copies(lambda: run(line.address, topic, group, seconds=0.1, batch_size=20), 2)
        async with watching(cluster.bootstrap_servers, group, topic, PARTITIONS) as watch:
            await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(producer.keep(4000, 10, enough, chunk=40))
                await until(lambda: books.done_so_far() > 200, why=copies.log_text)
                away = await (down(broker.stop, broker.start, AWAY) if how == "stopped" else cut_off(line, AWAY))
                await books.some_done(copies.log_text)
                enough.set()
            await books.all_done(len(producer.produced), copies.log_text)
            await copies.stop()
            found = await hold(books, producer.produced, watch, broken=copies.broken())
    meanwhile = made_meanwhile(books, away)
    assert meanwhile, "nothing was dispatched before the deadline"
    assert max(meanwhile) <= SESSION, sorted(meanwhile)[-5:]
    assert set(found.repeats) <= {"lane lost"}


async def test_only_the_record_that_kills_its_process_pays(apache_kafka: Cluster, books, run, tmp_path) -> None:
    """One of a batch of 100, `maximum_retry_attempts: 2`; its process is started again each time.

    Mutation: a careful lane that is never careful (it dies for ever, and nothing is discarded).
    """
    topic, group, letters = apache_kafka.topic(), run.group(apache_kafka), tmp_path / "letters"
    servers = apache_kafka.bootstrap_servers
    producer = TopicProducer(servers, topic, 1)
    await producer.put(300)
    copies = Copies(
        lambda: run(servers, topic, group, handler="deadly", deadly=150, seconds=0, batch_size=100, **care(letters)), 1
    )
    async with watching(servers, group, topic, 1) as watch:
        letter, at = await given_up(books, copies, letters, 299)
        found = await hold(books, producer.produced, watch, broken=copies.broken(), given_up={150: at})
    assert letter["KafkaBatchInfo"]["batchSize"] == 1
    (where,) = letter["KafkaBatchInfo"]["recordsInfo"].values()
    deadly = next(str(one.sequence) for one in producer.produced if one.number == 150)
    assert (where["firstRecordOffset"], where["lastRecordOffset"]) == (deadly, deadly)
    assert 150 not in books.done()
    print(f"{len(copies.killed)} deaths, {found}")  # noqa: T201 - the measurement
