"""`deaggregate: true` over a fake of Kinesis: what a handler sees, whose aggregates, and what is told of the others."""

from __future__ import annotations

import asyncio
import base64

import pytest
from structlog.testing import capture_logs

from headrace.log import LogLane
from headrace.model import LaneEnded
from headrace.testing import MemoryCursor, MemoryLog, virtual
from headrace_connectors.aws import AwsError
from support.aggregates import aggregate, sealed
from support.fake_kinesis import FakeKinesis
from support.kinesis_reading import ids, over, read

SHARD = "shardId-000000000000"
MIDDLE = 2**127


def contents(shards, records):
    """What a handler sees: partition key, sequence number, data."""
    return [
        (one["kinesis"]["partitionKey"], one["kinesis"]["sequenceNumber"], base64.b64decode(one["kinesis"]["data"]))
        for one in shards.render(records)["Records"]
    ]


@virtual
async def test_user_records_stand_in_the_place_of_their_aggregate():
    """Catches: an order that changes; the outer partition key; an aggregate that is torn by a limit."""
    fake = FakeKinesis()
    numbers = [
        fake.put("plain", b"before"),
        fake.put("outer", aggregate([("a", None, b"one"), ("b", "7", b"two"), ("a", None, b"three")])),
        fake.put("damaged", sealed(b"no message")),
    ]
    shards = over(fake, deaggregate=True)
    reader = shards.reader(SHARD)
    first, rest = await reader.read(2), await reader.read(10)
    assert [len(first), len(rest)] == [4, 1]
    assert contents(shards, [*first, *rest]) == [
        ("plain", numbers[0], b"before"),
        ("a", numbers[1], b"one"),
        ("b", numbers[1], b"two"),
        ("a", numbers[1], b"three"),
        ("damaged", numbers[2], sealed(b"no message")),
    ]
    assert [record.token for record in first] == [numbers[0], *[numbers[1]] * 3]
    assert [record.key for record in first] == ["plain", "a", "b", "a"]


@virtual
async def test_without_the_option_an_aggregate_is_handed_over_whole():
    fake = FakeKinesis()
    number, data = fake.put("outer", aggregate([("a", None, b"one")])), aggregate([("a", None, b"one")])
    shards = over(fake)
    assert contents(shards, await read(shards.reader(SHARD), 1)) == [("outer", number, data)]


@virtual
async def test_an_aggregate_of_another_shard_is_passed_and_told_of():
    """Sent to the parent's name, come to a child. Catches: silence; half of an aggregate delivered."""
    fake = FakeKinesis(shards=2)
    shards = over(fake, deaggregate=True)
    await shards.list()
    stray = fake.put("outer", aggregate([("x", "1", b"mine"), ("y", str(MIDDLE), b"the other's")]), 1)
    edges = fake.put("outer", aggregate([("x", "0", b"first"), ("y", str(MIDDLE - 1), b"last")]), 1)
    with capture_logs() as lines:
        async with asyncio.timeout(60):
            records = await read(shards.reader(SHARD), 2)
    assert ids(records) == [edges, edges]
    assert [
        (one["shard"], one["count"], one["ids"]) for one in lines if one["event"] == "aggregate.of_another_shard"
    ] == [(SHARD, 1, [stray])]


@virtual
async def test_a_shard_whose_last_is_anothers_ends_and_is_finished():
    """Catches: an end that waits for a record which nobody is given."""
    fake = FakeKinesis(shards=2)
    shards = over(fake, deaggregate=True)
    await shards.list()
    fake.put("outer", aggregate([("y", str(MIDDLE), b"the other's")]), 1)
    fake.split_shard(SHARD)
    store = MemoryLog()
    lane = LogLane(SHARD, shards.reader(SHARD), MemoryCursor(store, store.seize()), clock=fake.clock)
    with pytest.raises(LaneEnded):
        await lane.fetch(10)
    await lane.close()
    assert store.finished


@virtual
async def test_a_listing_that_fails_loses_no_page():
    """The range of hash keys is asked for before the first page. Catches: a page that was read and thrown away."""
    fake = FakeKinesis()
    number = fake.put("outer", aggregate([("a", None, b"one")]))
    fake.faults = [("ListShards", AwsError("InternalFailure", "")), ("ListShards", AwsError("InternalFailure", ""))]
    shards = over(fake, deaggregate=True)
    reader = shards.reader(SHARD)
    assert ids(await read(reader, 1)) == [number]
    assert fake.outcomes("ListShards") == ["InternalFailure", "InternalFailure", "ok"]
    assert fake.outcomes("GetRecords") == ["ok"]
