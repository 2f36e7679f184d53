"""DynamoDB Streams on the fake that keeps AWS's limits: a fleet through days of rollover, and what no server shows.

The conformance suite of one shard on this fake: test_dynamodb_lane.py.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest

from headrace.testing import virtual
from headrace_connectors.aws import AwsError
from support.fake_dynamodb import FakeDynamoDB
from support.fake_fleets import DynamoDBFleet, by_key
from support.fake_streams import Fault

HOUR = 3600.0


def put(fake: FakeDynamoDB, name: str) -> str:
    """Change the item of the name's key; `key/number`."""
    fake.put_item({"id": {"S": name.partition("/")[0]}, "name": {"S": name}})
    return name


def troubles(chance: random.Random) -> Any:
    """One call in ten that reads goes wrong, and of those that list, one in fifty."""
    codes = ("LimitExceededException", "ExpiredIteratorException", "InternalServerError", "ThrottlingException")

    def fault(operation: str, _: Mapping[str, Any]) -> Fault:
        if chance.random() > (0.02 if operation.startswith("Describe") else 0.1):
            return None
        if chance.random() < 0.3:
            return {}
        return AwsError(chance.choice(codes if operation == "GetRecords" else codes[2:]), "by script")

    return fault


@virtual
@pytest.mark.parametrize("seed", range(3))
async def test_a_fleet_reads_everything_in_order_through_rollovers_and_troubles(seed: int) -> None:
    """Three partitions, a new shard each every five minutes, late listings in short pages, refusals; a worker goes.

    Catches: an open shard taken for closed, a cut answer taken for the end, a page of the listing that is not read.
    """
    random.seed(seed)  # core's own jitter
    chance = random.Random(seed)
    fake = FakeDynamoDB(shards=3, seed=seed, rollover_every=300.0)
    fake.page_size, fake.list_delay, fake.ends_with_records = 2, 3.0, seed % 2 > 0
    fake.faults = troubles(chance)
    fleet = DynamoDBFleet(fake)
    workers = [fleet.worker("a").start(), fleet.worker("b").start()]
    sent = []
    for number in range(150):
        sent.append(put(fake, f"{chance.randrange(12)}/{number}"))
        if number == 70:
            await workers.pop(0).stop()
        if number % 25 == 10:
            fake.rollover(chance.choice(fake.open_shards()))
        await asyncio.sleep(chance.choice((0.01, 1, 15)))
    await fleet.until(lambda: len(fleet.done) >= len(sent), HOUR)
    await asyncio.sleep(30)
    assert by_key(fleet.names()) == by_key(sent)
    await workers[0].stop()
    assert workers[0].mapping.report.clean


@virtual
async def test_a_fleet_that_reads_alone_is_never_refused() -> None:
    """Through the rollover that comes by itself after four hours, and more. Catches: calls without pause at an end."""
    fake = FakeDynamoDB(shards=2)
    await fake.call("DescribeTable", TableName=fake.name)
    await asyncio.sleep(4 * HOUR - 300)
    fleet = DynamoDBFleet(fake)
    workers = [fleet.worker("a").start(), fleet.worker("b").start()]
    for number in range(9):
        put(fake, f"{number}/0")
        await asyncio.sleep(60)
        if number % 4 == 0:
            for shard in fake.open_shards():
                fake.rollover(shard)
    await asyncio.sleep(60)
    assert len(fleet.done) == 9
    assert {call.outcome for call in fake.calls} <= {"ok", "cancelled"}
    for worker in workers:
        await worker.stop()


@virtual
async def test_latest_outlives_a_kill_and_a_rollover_whatever_the_workers_clock_says() -> None:
    """DynamoDB knows no start by time. Catches: LATEST at each open, a `since:` by a clock that is ahead."""
    fake = FakeDynamoDB(shards=2)
    put(fake, "k/before")
    await asyncio.sleep(5)
    fleet = DynamoDBFleet(fake, starting_position="LATEST")
    fleet.clock.step(600)
    worker = fleet.worker("a").start()
    await fleet.until(lambda: len(worker.shards) == 2)
    await asyncio.sleep(5)
    await worker.kill()
    put(fake, "k/while")
    for shard in fake.open_shards():
        fake.rollover(shard)
    put(fake, "k/rolled")
    await asyncio.sleep(100)
    worker = fleet.worker("b").start()
    await fleet.until(lambda: len(fleet.done) > 1)
    put(fake, "k/after")
    await fleet.until(lambda: len(fleet.done) > 2)
    assert fleet.names() == ["k/while", "k/rolled", "k/after"]
    await worker.stop()


@virtual
async def test_an_outage_past_retention_holds_the_shard_and_says_why() -> None:
    """Two days away; the shard that was read last is no longer listed, nor most that followed. What is left is read.

    Catches: a gap that nobody hears of.
    """
    fake = FakeDynamoDB()
    fleet = DynamoDBFleet(fake)
    worker = fleet.worker("a").start()
    put(fake, "k/0")
    await fleet.until(lambda: fleet.names() == ["k/0"])
    (shard,) = worker.shards
    await worker.stop()
    for number in range(1, 5):
        put(fake, f"k/{number}")
        await asyncio.sleep(12 * HOUR)
    worker = fleet.worker("b").start()
    await asyncio.sleep(300)
    assert fleet.names() == ["k/0", "k/4"]
    assert [line["shard"] for line in worker.told.of("shard.trimmed")] == [shard]
    assert shard in worker.shards
    await worker.stop()
