"""Streams read by several real processes over one Valkey, which are killed, stopped and cut off while shards change.

The judge is `headrace.testing.lineage`: it has the producer's answers, the handlers' files and looks at the ledger's
rows. HEADRACE_RECORDS (20,000) and HEADRACE_KILLS (10) make the first test larger. What each promise is, which test
proves it and of which mutation that dies stands in docs/promises.md, with the times that the first two tests print.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from headrace.testing import FaultProxy
from headrace.testing.lineage import Produced
from support.copies import Copies, held, lost, measured
from support.deadly import care, given_up, written, written_at
from support.kinesis import PRODUCER, KinesisServer, kinesis_client, make_stream, reshard, shards
from support.outages import cut_off, down, made_meanwhile
from support.redis import Valkey
from support.servers import aws_environment
from support.service import Service, boot, config, until
from support.stops import Stops, asleep, nothing_more, stopped
from support.streambooks import TIMEOUT, StreamBooks, StreamProducer, hold, parents_of, watching
from support.tables import make_table

RECORDS = int(os.environ.get("HEADRACE_RECORDS", "20000"))
KILLS = int(os.environ.get("HEADRACE_KILLS", "10"))
TTL = 2.0
AWAY = 2.5 * TTL


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """With persistence: what it has answered, it has on disk."""
    with Valkey(persist=True) as server:
        yield server


@pytest.fixture
def books(tmp_path: Path) -> StreamBooks:
    return StreamBooks(tmp_path)


@pytest.fixture
async def volume(roto: KinesisServer) -> AsyncIterator[Any]:
    async with kinesis_client(roto.url) as client:
        yield client


@pytest.fixture
async def changing(kinesis_local: KinesisServer) -> AsyncIterator[Any]:
    async with kinesis_client(kinesis_local.url) as client:
        yield client


Run = Callable[..., Service]


@pytest.fixture
def run(books: StreamBooks, launch: Run) -> Run:
    """`run(source, endpoint, state)` -> a `Service`, not started; killed when the test ends."""

    def make(
        source: dict[str, Any], endpoint: str, state: str, *, account: str = "", handler: str = "work", **more: Any
    ) -> Service:
        environment = {name.upper(): str(more.pop(name)) for name in ("seconds", "deadly") if name in more}
        mapping = {"source": source, "function": "f", "batch_size": 1000, "starting_position": "TRIM_HORIZON", **more}
        functions = {"f": {"handler": f"stream_handlers.{handler}", "timeout": TIMEOUT}}
        settings = config({"m": mapping}, functions=functions, state=state, lease_ttl=TTL, commit_interval=0.5)
        around = {**aws_environment(endpoint, account or PRODUCER["AWS_ACCESS_KEY_ID"]), "BOOKS": str(books.folder)}
        return launch(settings, {**around, **environment})

    return make


def url(client: Any) -> str:
    """Of the server that a client talks to."""
    return str(client.meta.endpoint_url)


def kinesis(stream: str) -> dict[str, Any]:
    return {"type": "kinesis", "stream": stream}


async def kills(books: StreamBooks, copies: Copies, count: int, chance: random.Random) -> None:
    for _ in range(count):
        await books.some_done(copies.log_text)
        await asyncio.sleep(chance.uniform(0.2, 3))
        copies.kill_one(chance)


async def test_killed_at_random_while_they_read_much(volume, valkey, books, run) -> None:
    """Mutations: positions of what was read, not of what was settled (lost); no fence (stale, overtaken)."""
    stream = await make_stream(volume, shards=4)
    producer, enough, chance = StreamProducer(volume, stream), asyncio.Event(), random.Random(1)
    copies = Copies(lambda: run(kinesis(stream), url(volume), valkey.url, seconds=0.01), 3)
    async with watching(valkey.url) as watch:
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(RECORDS, KILLS * 3, enough))
            await kills(books, copies, KILLS, chance)
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken=copies.broken())
    measured(copies, found.repeats)
    assert found.settled >= RECORDS


async def test_shards_split_and_merge_while_copies_are_killed(changing, valkey, books, run) -> None:
    """Mutations: children begun before their parents have ended (early child, overtaken); a closed shard left."""
    stream = await make_stream(changing, shards=2)
    producer, enough, chance = StreamProducer(changing, stream), asyncio.Event(), random.Random(2)
    copies = Copies(lambda: run(kinesis(stream), url(changing), valkey.url, seconds=0.01), 3)
    async with watching(valkey.url) as watch:
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(RECORDS // 10, KILLS * 3, enough, chunk=20))
            resharding = group.create_task(reshard(changing, stream, chance, enough))
            await kills(books, copies, KILLS, chance)
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await copies.stop()
        listed = await shards(changing, stream)
        found = await hold(books, producer.produced, watch, broken=copies.broken(), parents=parents_of(listed))
    print(f"{resharding.result()} reshards, {len(listed)} shards")  # noqa: T201 - the measurement
    measured(copies, found.repeats)
    assert len(listed) > 4


async def test_a_copy_that_was_stopped_past_its_lease_does_nothing_more_under_it(volume, valkey, books, run) -> None:
    """SIGSTOP for 5 s or more. A call that was made before it goes on where it was: that repeat has a name.

    Mutations: a lane that ignores its deadline (calls made after it); a store that does not compare epochs (stale).
    """
    stream = await make_stream(volume, shards=4)
    producer, enough = StreamProducer(volume, stream), asyncio.Event()
    copies = Copies(lambda: run(kinesis(stream), url(volume), valkey.url, seconds=0.2, batch_size=20), 2)
    stops: Stops = {}
    async with watching(valkey.url) as watch:
        await copies.all_taken(4)
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(3000, 15, enough, chunk=20))
            for sleeper in copies.running:
                await books.some_done(copies.log_text)
                await asyncio.sleep(0.7)
                begin, leases = await stopped(sleeper)
                await asyncio.sleep(5)
                await until(lambda leases=leases: all(map(watch.taken_over, leases)), why=copies.log_text)
                stops.update(dict.fromkeys(leases, (begin, boot())))
                sleeper.resume()
                await until(lambda sleeper=sleeper: len(lost([sleeper])) > 0, why=copies.log_text)
                await asyncio.sleep(2)
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await copies.stop()
        broken = {**copies.broken(), **dict.fromkeys(stops, "stopped")}
        found = await hold(books, producer.produced, watch, broken=broken)
    nothing_more(books, watch.writes, stops)
    assert set(found.repeats) <= {"stopped", "lease lost"}


@pytest.mark.parametrize("how", ["killed", "cut off"])
async def test_a_store_that_is_away_for_longer_than_a_lease(volume, valkey, books, run, how) -> None:
    """Work goes on to the deadline, and no further; all comes back by itself.

    Mutations: a lane that ignores its deadline; a worker that ends, or never takes again, what it lost.
    """
    stream = await make_stream(volume, shards=4)
    producer, enough = StreamProducer(volume, stream), asyncio.Event()
    async with FaultProxy("127.0.0.1", valkey.port) as line, watching(valkey.url) as watch:
        state = f"redis://{line.address}"
        copies = Copies(lambda: run(kinesis(stream), url(volume), state, seconds=0.1, batch_size=20), 2)
        await copies.all_taken(4)
        async with asyncio.TaskGroup() as group:
            group.create_task(producer.keep(4000, 15, enough, chunk=20))
            await books.some_done(copies.log_text)
            away = await (down(valkey.kill, valkey.start, AWAY) if how == "killed" else cut_off(line, AWAY))
            await copies.all_taken(4)
            await books.some_done(copies.log_text)
            enough.set()
        await books.all_done(len(producer.produced), copies.log_text)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken=copies.broken())
    meanwhile = made_meanwhile(books, away)
    assert meanwhile, "nothing was dispatched before the deadline"
    assert max(meanwhile) <= TTL
    assert set(found.repeats) <= {"lease lost"}


@pytest.mark.parametrize(("shards", "records", "seconds"), [(1, 1000, 0), (3, 30, 1)])
async def test_only_the_record_that_kills_its_process_pays(
    volume, valkey, books, run, tmp_path, *, shards, records, seconds
) -> None:
    """One of a batch of 1,000, `maximum_retry_attempts: 2`; its process is started again each time.

    Mutations: a careful lane that is never careful (it dies for ever, and nothing is discarded); a last chance beside
    other shards (each of them has a record at the handler whenever the process ends, and it is given up too).
    """
    stream = await make_stream(volume, shards=shards)
    producer, letters, deadly = StreamProducer(volume, stream), tmp_path / "letters", records // 2
    await producer.put(records)
    how = {"handler": "deadly", "deadly": deadly, "seconds": seconds, **care(letters)}
    copies = Copies(lambda: run(kinesis(stream), url(volume), valkey.url, **how), 1)
    async with watching(valkey.url) as watch:
        letter, at = await given_up(books, copies, letters, records - 1)
        found = await hold(books, producer.produced, watch, broken=copies.broken(), given_up={deadly: at})
    _alone(letter, producer.produced, deadly)
    print(f"{len(copies.killed)} deaths, {found}")  # noqa: T201 - the measurement


def _alone(letter: dict[str, Any], produced: Sequence[Produced], number: int) -> None:
    where = letter["KinesisBatchInfo"]
    (record,) = (str(one.sequence) for one in produced if one.number == number)
    assert (where["batchSize"], where["startSequenceNumber"], where["endSequenceNumber"]) == (1, record, record)


async def test_all_of_it_at_once(changing, valkey, books, run, tmp_path) -> None:
    """Kills, a record that kills its process, a SIGSTOP past the lease, a store that ends and is cut off, reshards.

    Mutations: a lane that is never careful (the record is never given up); a child begun before its parents ended.
    """
    stream, letters = await make_stream(changing, shards=2), tmp_path / "letters"
    producer, enough, chance = StreamProducer(changing, stream), asyncio.Event(), random.Random(3)
    await producer.put(1000)
    async with FaultProxy("127.0.0.1", valkey.port) as line, watching(valkey.url) as watch:
        deadly = {"handler": "deadly", "deadly": 300, "seconds": 0.01, **care(letters)}
        copies = Copies(lambda: run(kinesis(stream), url(changing), f"redis://{line.address}", **deadly), 3)
        async with asyncio.TaskGroup() as group:
            raising = group.create_task(copies.keep_raising_the_dead())
            producing = group.create_task(producer.keep(RECORDS // 10, KILLS * 3, enough, chunk=20))
            resharding = group.create_task(reshard(changing, stream, chance, enough))
            killing = group.create_task(kills(books, copies, KILLS, chance))
            stops = await asleep(copies, watch)
            await books.some_done(copies.log_text)
            away = [await down(valkey.kill, valkey.start, AWAY)]
            await books.some_done(copies.log_text)
            away.append(await cut_off(line, AWAY))
            await killing
            await until(letters.exists, why=copies.log_text)
            enough.set()
            await asyncio.wait({producing, resharding})
            await books.all_done(len(producer.produced) - 1, copies.log_text)
            raising.cancel()
        await copies.stop()
        gone = written(letters)  # more than once where a kill came before the commit
        for letter in gone:
            _alone(letter, producer.produced, 300)
        broken, given = {**copies.broken(), **dict.fromkeys(stops, "stopped")}, {300: min(map(written_at, gone))}
        parents = parents_of(await shards(changing, stream))
        found = await hold(books, producer.produced, watch, broken=broken, parents=parents, given_up=given)
    nothing_more(books, watch.writes, stops)
    assert max((after for one in away for after in made_meanwhile(books, one)), default=0) <= TTL
    print(f"{resharding.result()} reshards, {len(parents)} shards, {len(stops)} leases slept through")  # noqa: T201
    measured(copies, found.repeats)
    assert len(parents) > 4
    assert set(found.repeats) <= {"kill", "stopped", "lease lost"}


async def test_latest_on_a_quiet_kinesis_stream_outlives_a_kill(changing, valkey, books, run) -> None:
    """Start, SIGKILL, records arrive, start again. Mutation: LATEST that is resolved at each open."""
    stream = await make_stream(changing, shards=2)
    producer = StreamProducer(changing, stream)
    await producer.put(5)
    before, producer.produced = len(producer.produced), [*producer.produced]
    await asyncio.sleep(1.1)  # whole seconds of arrival: what came before the start must not share its second
    service = run(kinesis(stream), url(changing), valkey.url, starting_position="LATEST")
    service.start()
    await until(lambda: len(held(service)) == 2, why=service.log_text)
    service.kill()
    await producer.put(50)
    service.start()
    await until(lambda: books.done_so_far() >= 50, why=service.log_text)
    assert books.done() == set(range(before, before + 50))


async def test_latest_on_a_quiet_dynamodb_stream_outlives_a_kill(dynamodb, account, valkey, books, run) -> None:
    """As above."""
    table, arn = await make_table(dynamodb)
    await dynamodb.put_item(TableName=table, Item={"id": {"S": "old"}, "n": {"N": "1"}})
    await asyncio.sleep(1.1)
    source = {"type": "dynamodb", "stream_arn": arn}
    service = run(source, url(dynamodb), valkey.url, account=account, starting_position="LATEST")
    service.start()
    await until(lambda: held(service), why=service.log_text)
    service.kill()
    for number in range(2, 52):
        await dynamodb.put_item(TableName=table, Item={"id": {"S": f"k{number % 5}"}, "n": {"N": str(number)}})
    service.start()
    await until(lambda: books.done_so_far() >= 50, why=service.log_text)
    assert books.done() == set(range(2, 52))
    numbers = [one.number for one in books.history()]
    assert numbers == sorted(numbers)
