"""Topics read by several real processes of one group, which are killed, stopped, cut off and started anew.

The judge is `headrace.testing.lineage`: it has the broker's answers to the producer, the handlers' files, and looks at
the group's committed offsets. HEADRACE_RECORDS (10,000) and HEADRACE_KILLS (6) make the first test larger. What each
promise is, which test proves it and of which mutation that dies stands in docs/promises.md, with the times printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.testing import FaultProxy
from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.server import free_port
from support import kafka as brokers
from support.copies import Copies, held, lost, quantile
from support.kafka import Cluster
from support.kafkabooks import TopicProducer, hold, watching
from support.service import Service, boot, config, until
from support.streambooks import TIMEOUT, StreamBooks

RECORDS = int(os.environ.get("HEADRACE_RECORDS", "10000"))
KILLS = int(os.environ.get("HEADRACE_KILLS", "6"))
PARTITIONS = 8
SESSION = 3.0


@pytest.fixture
def books(tmp_path: Path) -> StreamBooks:
    return StreamBooks(tmp_path)


Run = Callable[..., Service]


@pytest.fixture
def run(books: StreamBooks, tmp_path: Path) -> Iterator[Run]:
    """`run(servers, topic, group)` -> a `Service`, not started; killed when the test ends."""
    services: list[Service] = []

    def make(servers: str, topic: str, group: str, *, handler: str = "work", **more: Any) -> Service:
        environment = {name.upper(): str(more.pop(name)) for name in ("seconds", "deadly") if name in more}
        source = {
            "type": "kafka",
            "bootstrap_servers": servers,
            "topics": [topic],
            "consumer_group_id": group,
            "session_timeout_ms": int(SESSION * 1000),
            **more.pop("source", {}),
        }
        mapping = {"source": source, "function": "f", "batch_size": 500, **more}
        functions = {"f": {"handler": f"kafka_handlers.{handler}", "timeout": TIMEOUT}}
        settings = config({"m": mapping}, functions=functions, commit_interval=0.5)
        service = Service(tmp_path / f"service-{len(services)}", settings, {"BOOKS": str(books.folder), **environment})
        services.append(service)
        return service

    yield make
    for service in services:
        service.stop()


async def all_done(books: StreamBooks, producer: TopicProducer, copies: Copies, seconds: float = 180) -> None:
    count = len(producer.produced)
    await until(lambda: books.done_so_far() >= count and len(books.done()) >= count, seconds, copies.log_text)


async def some_done(books: StreamBooks, copies: Copies) -> None:
    before = books.done_so_far()
    await until(lambda: books.done_so_far() > before, why=copies.log_text)


def measured(copies: Copies, repeats: Counter[str]) -> None:
    """Prints what docs/promises.md quotes."""
    times = copies.takeovers()
    assert times, "no partition was taken over"
    print(  # noqa: T201 - the measurement
        f"{len(copies.killed)} kills, {len(times)} takeovers: p50 {quantile(times, 0.5):.2f} s, "
        f"p99 {quantile(times, 0.99):.2f} s; repeats {dict(repeats)}, "
        f"{repeats['kill'] / len(copies.killed):.0f} a kill"
    )


async def test_members_join_leave_and_are_killed_at_random_under_load(apache_kafka: Cluster, books, run) -> None:
    """Two or three of them. Order holds per partition, and so per key; only who was killed leaves repeats.

    Mutations: offsets of what was read, not of what was settled (lost, gap); a revoke that is answered before the lane
    is closed (repeats without a cause); records of an assignment that are handed over under the next (overtaken).
    """
    topic, group = apache_kafka.topic(PARTITIONS), apache_kafka.group()
    servers, chance, enough = apache_kafka.bootstrap_servers, random.Random(1), asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.01), 2)
    async with watching(servers, group, topic, PARTITIONS) as watch:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(RECORDS, KILLS * 3, enough))
            while len(copies.killed) < KILLS:
                await some_done(books, copies)
                await asyncio.sleep(chance.uniform(0.2, 2.5))
                if len(copies.running) == 2:
                    copies.join()
                elif chance.random() < 0.4:
                    await copies.leave_one(chance)
                else:
                    copies.kill_one(chance)
            enough.set()
        await all_done(books, producer, copies)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken=copies.broken())
    measured(copies, found.repeats)
    assert found.settled >= RECORDS
    assert set(found.repeats) <= {"kill"}


async def test_a_rolling_restart_of_four_members_repeats_nothing(apache_kafka: Cluster, books, run) -> None:
    """By SIGTERM, each after the one before has its partitions. Mutation: a stop that does not commit first."""
    topic, group = apache_kafka.topic(PARTITIONS), apache_kafka.group()
    servers, enough = apache_kafka.bootstrap_servers, asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.02), 4)
    async with watching(servers, group, topic, PARTITIONS) as watch:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(RECORDS // 2, 20, enough, chunk=200))
            for _ in range(4):
                await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
                await some_done(books, copies)
                oldest = copies.running.pop(0)
                oldest.terminate()
                assert await oldest.ended() == 0, oldest.log_text()
                copies.join()
            enough.set()
        await all_done(books, producer, copies)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken={})
    assert not found.repeats, found


async def test_a_member_that_was_stopped_past_its_session_does_nothing_more_of_what_it_lost(
    apache_kafka: Cluster, books, run
) -> None:
    """SIGSTOP for two sessions. A call that was made before it goes on where it was: that repeat has a name.

    Mutations: a lane that ignores its deadline (calls made after it); a member that believes what it heard before it
    stood still; a cursor that commits what was lost under the generation that came after (gap, behind).
    """
    topic, group = apache_kafka.topic(PARTITIONS), apache_kafka.group()
    servers, enough = apache_kafka.bootstrap_servers, asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.2, batch_size=20), 2)
    stops: dict[tuple[str, int], tuple[float, float]] = {}
    async with watching(servers, group, topic, PARTITIONS) as watch:
        await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(3000, 20, enough, chunk=30))
            sleeper = copies.running[0]
            await some_done(books, copies)
            begin, leases = sleeper.pause(), list(held(sleeper))
            assert leases, sleeper.log_text()
            await asyncio.sleep(2 * SESSION)
            stops.update(dict.fromkeys(leases, (begin, boot())))
            sleeper.resume()
            await until(lambda: len(lost([sleeper])) == len(leases), why=copies.log_text)
            await until(lambda: held(sleeper), why=copies.log_text)
            await some_done(books, copies)
            enough.set()
        await all_done(books, producer, copies)
        await copies.stop()
        broken = {**copies.broken(), **dict.fromkeys(stops, "stopped")}
        found = await hold(books, producer.produced, watch, broken=broken)
    for made, call in books.dispatched():
        begin, end = stops.get((call.lane, call.epoch), (boot(), boot()))
        assert made <= begin, f"{call} was made {made - end:.2f} s after its process went on"
    for (shard, epoch), (_, end) in stops.items():  # nothing was written under the old epoch
        assert not [one for one in watch.writes if (one.shard, one.epoch) == (shard, epoch) and one.at > end]
    assert set(found.repeats) <= {"stopped"}


@asynccontextmanager
async def behind_a_line() -> AsyncIterator[tuple[ApacheKafka, FaultProxy]]:
    """A broker of a test's own, with a listener that shows itself as the line before it."""
    broker = brokers.apache(listeners={"LINE": "PLAINTEXT"})
    broker.ports = {name: free_port() for name in broker.ports}
    async with FaultProxy("127.0.0.1", broker.ports["LINE"]) as line:
        shown = f"PLAINTEXT://{broker.bootstrap_servers},LINE://{line.address}"
        broker.properties["advertised.listeners"] = shown
        await asyncio.to_thread(broker.start)
        try:
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
        topic, group = cluster.topic(PARTITIONS), cluster.group()
        producer = TopicProducer(cluster.bootstrap_servers, topic, PARTITIONS)
        copies = Copies(lambda: run(line.address, topic, group, seconds=0.1, batch_size=20), 2)
        async with watching(cluster.bootstrap_servers, group, topic, PARTITIONS) as watch:
            await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(producer.keep(4000, 10, enough, chunk=40))
                await until(lambda: books.done_so_far() > 200, why=copies.log_text)
                begin = boot()
                await _away(broker, line, how)
                end = boot()
                await some_done(books, copies)
                enough.set()
            await all_done(books, producer, copies)
            await copies.stop()
            found = await hold(books, producer.produced, watch, broken=copies.broken())
    meanwhile = [made - begin for made, _ in books.dispatched() if begin < made < end]
    assert meanwhile, "nothing was dispatched before the deadline"
    assert max(meanwhile) <= SESSION, sorted(meanwhile)[-5:]
    assert set(found.repeats) <= {"lane lost"}


async def _away(broker: ApacheKafka, line: FaultProxy, how: str) -> None:
    """For more than two sessions."""
    if how == "stopped":
        await asyncio.to_thread(broker.stop)
        await asyncio.sleep(2.5 * SESSION)
        await asyncio.to_thread(broker.start)
    else:
        line.black_hole()
        await asyncio.sleep(2.5 * SESSION)
        line.cut()
        line.heal()


async def test_only_the_record_that_kills_its_process_pays(apache_kafka: Cluster, books, run, tmp_path) -> None:
    """One of a batch of 100, `maximum_retry_attempts: 2`; its process is started again each time.

    Mutation: a careful lane that is never careful (it dies for ever, and nothing is discarded).
    """
    topic, group, letters = apache_kafka.topic(), apache_kafka.group(), tmp_path / "letters"
    servers = apache_kafka.bootstrap_servers
    producer = TopicProducer(servers, topic, 1)
    await producer.put(300)
    care = {
        "maximum_retry_attempts": 2,
        "destination_config": {"on_failure": {"destination": {"type": "file", "path": str(letters)}}},
    }
    copies = Copies(
        lambda: run(servers, topic, group, handler="deadly", deadly=150, seconds=0, batch_size=100, **care), 1
    )
    async with watching(servers, group, topic, 1) as watch:
        end = boot() + 240
        while not letters.exists() or len(books.done()) < 299:
            await asyncio.sleep(0.2)
            assert boot() < end, copies.log_text()
            copies.raise_the_dead()
            assert len(copies.killed) < 20, copies.log_text()
        await copies.stop()
        settled = {150: boot() - (time.time() - letters.stat().st_mtime)}
        found = await hold(books, producer.produced, watch, broken=copies.broken(), given_up=settled)
    (letter,) = (json.loads(line) for line in letters.read_text().splitlines())
    assert letter["KafkaBatchInfo"]["batchSize"] == 1
    (where,) = letter["KafkaBatchInfo"]["recordsInfo"].values()
    deadly = next(str(one.sequence) for one in producer.produced if one.number == 150)
    assert (where["firstRecordOffset"], where["lastRecordOffset"]) == (deadly, deadly)
    assert 150 not in books.done()
    print(f"{len(copies.killed)} deaths, {found}")  # noqa: T201 - the measurement


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
    topic, group, servers = apache_kafka.topic(PARTITIONS), apache_kafka.group(), apache_kafka.bootstrap_servers
    producer, enough = TopicProducer(servers, topic, PARTITIONS), asyncio.Event()
    await producer.put(500)
    async with watching(servers, group, topic, PARTITIONS) as watch, asyncio.TaskGroup() as tasks:
        tasks.create_task(producer.keep(1500, 10, enough, chunk=20))
        began = time.time()
        copies = Copies(lambda: run(servers, topic, group, seconds=0.5, starting_position="LATEST"), 2)
        await _killed_early(apache_kafka, group, copies, when)
        await until(lambda: len(watch.writes) > 0, why=copies.log_text)
        concrete = time.time()
        await some_done(books, copies)
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
    topic, group, servers = apache_kafka.topic(PARTITIONS), apache_kafka.group(), apache_kafka.bootstrap_servers
    producer, enough = TopicProducer(servers, topic, PARTITIONS), asyncio.Event()
    await producer.put(500)
    await asyncio.sleep(0.01)
    start = int(time.time() * 1000) / 1000
    position = {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": start}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(producer.keep(1500, 10, enough, chunk=20))
        copies = Copies(lambda: run(servers, topic, group, seconds=0.2, **position), 2)
        await _killed_early(apache_kafka, group, copies, KILLED[0])
        await some_done(books, copies)
        enough.set()
    expected = {number for number, at in producer.sent.items() if at >= start}
    await until(lambda: books.done() >= expected, why=copies.log_text)
    await copies.stop()
    assert books.done() == expected


async def _killed_early(cluster: Cluster, group: str, copies: Copies, when: str) -> None:
    """The first that is seen in the group, or that has partitions; nothing of it was handled to its end."""

    def joined() -> bool:
        with cluster.admin() as admin:
            return len(admin.describe_groups([group])[group]["members"]) > 0

    if when == KILLED[0]:
        while not await asyncio.to_thread(joined):
            await asyncio.sleep(0.02)
        copies.kill_one(random.Random(0))
    else:
        await until(lambda: any(held(one) for one in copies.running), why=copies.log_text)
        copies.kill(next(index for index, one in enumerate(copies.running) if held(one)))
