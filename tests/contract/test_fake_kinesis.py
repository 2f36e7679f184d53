"""Kinesis on the fake that keeps AWS's limits: the suite of real servers, and a fleet through what none shows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from headrace.testing import Harness, on_virtual_time, virtual
from headrace.testing.conformance import Ends, Fences, LaneConformance
from headrace_connectors.aws import AwsError
from support.fake_fleets import KinesisFleet, by_key
from support.fake_kinesis import FakeKinesis
from support.fake_streams import Delay, Fault
from support.kinesis_reading import SHARD, KinesisHarness, over


@on_virtual_time
class TestOnFake(LaneConformance, Ends, Fences):
    @pytest.fixture
    def harness(self) -> Harness:
        fake = FakeKinesis()

        async def put(names: Sequence[str], keys: Sequence[str] | None) -> None:
            for name, key in zip(names, keys or names, strict=True):
                fake.put(key, name)

        async def finish() -> None:
            fake.split_shard(SHARD)

        return KinesisHarness(lambda: over(fake), put, finish, clock=fake.clock, promptly=5, patience=100)


def reshard(fake: FakeKinesis, chance: random.Random) -> None:
    """Split a shard, or merge two neighbours, whichever chance will."""
    shards = sorted((fake.shards[name] for name in fake.open_shards()), key=lambda shard: shard.low)
    index = chance.randrange(len(shards))
    if len(shards) > 1 and chance.random() < 0.5:
        index = min(index, len(shards) - 2)
        fake.merge_shards(shards[index].name, shards[index + 1].name)
    else:
        fake.split_shard(shards[index].name)


def troubles(chance: random.Random) -> Any:
    """One call in five that reads goes wrong, each in its own way, and of those that list, one in fifty."""
    codes = (
        "ProvisionedThroughputExceededException",
        "ExpiredIteratorException",
        "InternalFailure",
        "KMSThrottlingException",
    )

    def fault(operation: str, _: Mapping[str, Any]) -> Fault:
        if chance.random() > (0.02 if operation in {"DescribeStreamSummary", "ListShards"} else 0.2):
            return None
        if chance.random() < 0.2:
            return Delay(chance.uniform(0, 3))
        if chance.random() < 0.2:
            return {}
        if operation == "ListShards":
            return AwsError("LimitExceededException", "by script")
        return AwsError(chance.choice(codes), "by script")

    return fault


@virtual
@pytest.mark.parametrize("seed", range(8))
async def test_a_fleet_reads_everything_in_order_through_reshards_and_troubles(seed: int) -> None:
    """Splits, merges, late and repeated listings, empty pages, refusals, cut answers; workers that come and go.

    Nothing is lost, nothing comes twice (no worker dies), and each key's records come in their order. Catches: a child
    that begins before its parent has ended; a cut answer taken for the end; a page (of records, of shards) passed over.
    """
    random.seed(seed)  # core's own jitter
    chance = random.Random(seed)
    fake = FakeKinesis(shards=3, seed=seed)
    fake.listing.page_size, fake.listing.delay, fake.listing.repeat_pages = 2, 3.0, seed % 2 == 0
    fake.empty_chance, fake.latency, fake.ends_with_records = 0.3, 0.02, seed % 3 > 0
    fake.faults = troubles(chance)
    fleet = KinesisFleet(fake)
    workers = [fleet.worker("a").start()]
    sent = []
    for number in range(400):
        name = f"{chance.randrange(20)}/{number}"
        fake.put(name.partition("/")[0], name)
        sent.append(name)
        if number % 50 == 25:
            reshard(fake, chance)
        if number == 100:
            workers.append(fleet.worker("b").start())
        if number == 250:
            await workers.pop(0).stop()
        await asyncio.sleep(chance.uniform(0, 1))
    await fleet.until(lambda: len(fleet.done) >= len(sent), 1200)
    await asyncio.sleep(30)
    assert by_key(fleet.names()) == by_key(sent)
    await workers[0].stop()
    assert workers[0].mapping.report.clean


@virtual
async def test_a_fleet_of_one_is_never_throttled() -> None:
    """Backlog of 40 MB, then a quiet stream. Catches: a pace that forgets the size of an answer, or its iterators."""
    fake = FakeKinesis(shards=2)
    sent = [f"{number}/" + "x" * 500_000 for number in range(80)]
    for name in sent:
        fake.put(name[:5], name)
    fleet = KinesisFleet(fake)
    worker = fleet.worker("a").start()
    await fleet.until(lambda: len(fleet.done) == len(sent))
    await asyncio.sleep(3600)
    assert {call.outcome for call in fake.calls} == {"ok"}
    await worker.stop()


@virtual
async def test_latest_outlives_a_kill_whatever_the_workers_clock_says() -> None:
    """Start, SIGKILL, records arrive, start again. Catches: LATEST at each open; a start by a clock that is ahead."""
    fake = FakeKinesis()
    fake.put("k", "before/0")
    await asyncio.sleep(5)
    fleet = KinesisFleet(fake, starting_position="LATEST")
    fleet.clock.step(600)
    worker = fleet.worker("a").start()
    await fleet.until(lambda: len(worker.shards) == 1)
    await asyncio.sleep(5)
    await worker.kill()
    fake.put("k", "while/0")
    await asyncio.sleep(100)
    worker = fleet.worker("b").start()
    await fleet.until(lambda: len(fleet.done) > 0)
    fake.put("k", "after/0")
    await fleet.until(lambda: len(fleet.done) > 1)
    assert fleet.names() == ["while/0", "after/0"]
    await worker.stop()


@virtual
async def test_a_stream_made_again_under_its_name_is_read_from_its_beginning() -> None:
    """Catches: a position of the old stream that is asked of the new one."""
    fake = FakeKinesis()
    fake.put("k", "old/0")
    fleet = KinesisFleet(fake)
    worker = fleet.worker("a").start()
    await fleet.until(lambda: fleet.names() == ["old/0"])
    fake.delete()
    await asyncio.sleep(10)
    fake.create(1)
    fake.put("k", "new/0")
    await fleet.until(lambda: len(fleet.done) > 1)
    assert fleet.names() == ["old/0", "new/0"]
    await worker.stop()


@virtual
async def test_an_iterator_outlived_by_a_slow_handler_costs_nothing() -> None:
    """The handler takes ten minutes of every batch. Catches: an iterator that is kept, records that come twice."""
    fake = FakeKinesis()
    sent = [f"k/{number}" for number in range(12)]
    for name in sent[:6]:
        fake.put("k", name)

    async def slow(names: list[str], _: Any) -> None:
        await asyncio.sleep(550)

    fleet = KinesisFleet(fake, capacity=5)
    worker = fleet.worker("a", behave=slow).start()
    await fleet.until(lambda: len(fleet.done) == 6, 3600)
    for name in sent[6:]:
        fake.put("k", name)
    await fleet.until(lambda: len(fleet.done) == 12, 7200)
    assert fleet.names() == sent
    await worker.stop()
