"""Shards of DynamoDB Streams as they are listed and read, on the fake that keeps AWS's limits. On virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.errors import SourceUnavailable
from headrace.model import LaneEnded
from headrace.observe import Tally
from headrace.shards import Listed
from headrace.testing import FakeClock, virtual
from headrace_connectors.aws import AwsError
from headrace_connectors.dynamodb.reader import DynamoDBReader
from headrace_connectors.dynamodb.source import DynamoDBShards
from support.dynamodb import connected_to, opening_of
from support.fake_dynamodb import FakeDynamoDB

HOUR = 3600.0


class Table:
    """A table, and the shards of its stream as a mapping sees them."""

    def __init__(self, *, shared: dict[object, Any] | None = None, fake: FakeDynamoDB | None = None, **options: Any):
        self.clock = FakeClock()
        self.fake = fake or FakeDynamoDB(clock=self.clock)
        self.tally = Tally()
        opening = opening_of(
            {"table": "orders", **options},
            clock=self.clock,
            tally=lambda _: self.tally,
            shared={} if shared is None else shared,
        )
        self.shards = DynamoDBShards(opening, connected_to(self.fake))
        self.found: list[Listed] = []

    def put(self, *names: str) -> list[str]:
        numbers = [self.fake.put_item({"id": {"S": name}}) for name in names]
        return [number for number in numbers if number]

    async def only(self) -> str:
        (shard,) = [shard.name for shard in (await self.shards.list()).shards if not shard.closed]
        return shard

    def open(self, shard: str, after: str = "TRIM_HORIZON") -> DynamoDBReader:
        return self.shards.open(shard, after, self.found.extend)


async def names(reader: DynamoDBReader, limit: int = 1000) -> list[str]:
    return [record.raw["dynamodb"]["Keys"]["id"]["S"] for record in await reader.read(limit)]


async def waits(reader: DynamoDBReader, seconds: float = 60) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await reader.read(10)
    except TimeoutError:
        return True
    return False


@virtual
async def test_every_page_of_a_listing_is_read_and_tells_parents_and_ends() -> None:
    """Catches: the first page only, a rate above ten calls a second, a child without its parent."""
    table = Table(fake=FakeDynamoDB(shards=3))
    table.fake.page_size = 1
    first = await table.shards.list()
    parent = table.fake.open_shards()[0]
    child = table.fake.rollover(parent)
    listing = await table.shards.list()
    assert {shard.name: (shard.parents, shard.closed) for shard in listing.shards} == {
        **{shard.name: ((), shard.name == parent) for shard in first.shards},
        child: ((parent,), False),
    }
    assert table.fake.outcomes("DescribeStream") == ["ok"] * 7


@virtual
async def test_a_stream_that_was_enabled_again_has_another_identity() -> None:
    table = Table()
    first = await table.shards.list()
    table.fake.disable()
    disabled = await table.shards.list()
    assert (disabled.identity, [shard.closed for shard in disabled.shards]) == (first.identity, [True])
    await asyncio.sleep(1)
    second = table.fake.enable()
    assert (await table.shards.list()).identity == second != first.identity


@virtual
async def test_a_table_whose_description_was_cut_off_is_not_said_to_have_no_stream() -> None:
    table = Table()
    table.fake.faults = [("DescribeTable", {})]
    with pytest.raises(SourceUnavailable, match="IncompleteAnswer"):
        await table.shards.list()


@virtual
async def test_a_table_without_a_stream_says_how_to_enable_one() -> None:
    table = Table()
    table.fake.faults = [("DescribeTable", {"Table": {"TableName": "orders"}})]
    with pytest.raises(SourceUnavailable, match="the table orders has no stream: enable one"):
        await table.shards.list()
    table.fake.faults = [("DescribeStream", {})]
    with pytest.raises(SourceUnavailable, match="IncompleteAnswer"):
        await table.shards.list()


@virtual
async def test_a_shard_is_read_from_each_position() -> None:
    """Catches: after a record taken for at it."""
    table = Table()
    shard = await table.only()
    numbers = table.put(*"abc")
    assert await names(table.open(shard)) == ["a", "b", "c"]
    assert await names(table.open(shard, numbers[0])) == ["b", "c"]
    assert await names(table.open(shard, f"from:{numbers[1]}")) == ["b", "c"]


@virtual
async def test_latest_keeps_what_came_within_its_own_second() -> None:
    """DynamoDB stamps whole seconds. Catches: a fraction compared, a filter that goes on after the first that is kept,
    one that begins anew with an iterator."""
    table = Table()
    shard = await table.only()
    table.put("old")
    await asyncio.sleep(5.3)
    table.put("before")
    after = table.shards.at(table.clock.wall() + 0.2)
    await asyncio.sleep(0.4)
    table.put("within")
    reader = table.open(shard, after)
    assert await names(reader) == ["before", "within"]
    table.clock.step(-60)
    table.put("stamped by another clock")
    table.clock.step(60)
    assert await names(reader) == ["stamped by another clock"]
    late = table.open(shard, table.shards.at(table.clock.wall() + 100))
    reading = asyncio.ensure_future(names(late))
    await asyncio.sleep(50)
    table.put("still old")
    table.fake.faults = [("GetRecords", AwsError("ExpiredIteratorException", ""))]
    await asyncio.sleep(60)
    table.put("new")
    assert await reading == ["new"]


@virtual
async def test_it_polls_four_times_a_second_at_the_tip_and_knows_that_it_is_there() -> None:
    """lambda-semantics 2.4. Catches: a busy loop, a tip that is taken from a page with records."""
    table = Table()
    shard = await table.only()
    table.put("a")
    reader = table.open(shard)
    assert reader.behind is None
    await asyncio.sleep(10)
    await names(reader)
    assert 10 <= (reader.behind or 0) < 12
    assert await waits(reader, 10)
    assert reader.behind == 0
    assert 38 <= len(table.fake.outcomes("GetRecords")) <= 43


@virtual
async def test_a_closed_shard_is_read_without_a_pause() -> None:
    """An empty page of it is not its tip. Catches: four calls a second through a day's gaps, idle in one of them."""
    table = Table()
    shard = await table.only()
    table.put("a")
    table.fake.rollover(shard)
    await table.shards.list()
    table.fake.empty_pages = 100
    table.fake.latency = 0.01
    began = table.clock.wall()
    reader = table.open(shard)
    reading = asyncio.ensure_future(names(reader))
    await asyncio.sleep(0.5)
    assert reader.behind is None
    assert await reading == ["a"]
    assert table.clock.wall() - began < 2
    with pytest.raises(LaneEnded):
        await names(reader)
    assert reader.behind == 0


@pytest.mark.parametrize("ends_with_records", [True, False])
@virtual
async def test_the_end_names_the_children(ends_with_records: bool) -> None:
    table = Table()
    table.fake.ends_with_records = ends_with_records
    shard = await table.only()
    table.put("a")
    reader = table.open(shard)
    assert await names(reader) == ["a"]
    child = table.fake.rollover(shard)
    with pytest.raises(LaneEnded):
        await names(reader)
    assert table.found == [Listed(name=child, parents=(shard,))]


@virtual
async def test_a_server_that_knows_no_filter_is_not_believed() -> None:
    """Catches: every shard of the stream taken for a child; a refusal that holds the end up."""
    table = Table(fake=FakeDynamoDB(shards=2))
    await table.shards.list()
    for fault in ({"StreamDescription": {"Shards": [{"ShardId": "other"}]}}, AwsError("ValidationException", "")):
        shard = table.fake.open_shards()[0]
        table.fake.rollover(shard)
        table.fake.faults = [("DescribeStream", fault)]
        with pytest.raises(LaneEnded):
            await names(table.open(shard))
    assert table.found == []


@virtual
async def test_an_iterator_that_expired_while_the_handler_ran_is_asked_for_anew() -> None:
    table = Table()
    shard = await table.only()
    table.put("a", "b")
    reader = table.open(shard)
    assert await names(reader, 1) == ["a"]
    assert await names(reader, 1) == ["b"]
    await asyncio.sleep(HOUR)
    table.put("c")
    assert await names(reader) == ["c"]
    assert table.fake.outcomes("GetRecords").count("ExpiredIteratorException") == 1
    assert table.fake.outcomes("GetShardIterator") == ["ok", "ok"]


@virtual
async def test_a_trimmed_position_holds_the_shard_or_is_counted_as_a_gap() -> None:
    """Catches: a gap that is passed over in silence, one that is asked about for ever, one that nobody counts."""
    table = Table()
    shard = await table.only()
    numbers = table.put(*"abc")
    table.fake.trim(shard, numbers[1])
    failing = table.open(shard, numbers[0])
    assert await waits(failing)
    assert (failing.condition.state, failing.condition.ready) == ("trimmed", False)
    assert (len(table.fake.outcomes("GetShardIterator")), table.fake.outcomes("GetRecords")) == (1, [])
    await failing.close()
    skipping = Table(fake=table.fake, on_trimmed="skip")
    await skipping.shards.list()
    assert await names(skipping.open(shard, numbers[0])) == ["c"]
    assert (skipping.tally.lost_to_retention, table.tally.lost_to_retention) == (1, 0)


@virtual
async def test_what_is_trimmed_between_iterator_and_page_is_no_gap_at_the_horizon() -> None:
    """Nothing was read yet, so nothing is missed. Catches: `fail` on a start at TRIM_HORIZON or LATEST."""
    table = Table()
    shard = await table.only()
    table.put("a")
    trimmed = AwsError("TrimmedDataAccessException", "")
    for start in ("TRIM_HORIZON", "since:0"):
        table.fake.faults = [("GetRecords", trimmed)]
        assert await names(table.open(shard, start)) == ["a"]


@virtual
async def test_a_shard_that_is_no_longer_listed_is_a_gap_too() -> None:
    """After a day away. Catches: `missing` for ever, where only the shard is gone and not the stream."""
    table = Table()
    shard = await table.only()
    (number,) = table.put("a")
    await asyncio.sleep(40 * HOUR)
    await table.shards.list()
    failing = table.open(shard, number)
    assert await waits(failing)
    assert failing.condition.state == "trimmed"
    skipping = Table(fake=table.fake, on_trimmed="skip")
    await skipping.shards.list()
    with pytest.raises(LaneEnded):
        await names(skipping.open(shard, number))


@virtual
async def test_a_stream_that_is_gone_is_waited_for() -> None:
    table = Table()
    shard = await table.only()
    reader = table.open(shard)
    table.put("a")
    table.fake.faults = lambda operation, _: (
        AwsError("ResourceNotFoundException", "no stream") if operation != "DescribeTable" else None
    )
    reading = asyncio.ensure_future(names(reader))
    await asyncio.sleep(30)
    assert reader.condition.state == "missing"
    table.fake.faults = []
    assert await reading == ["a"]


@virtual
async def test_a_third_reader_of_a_shard_waits_and_says_so() -> None:
    """At most two readers a shard. Catches: a third that is let in, a place that is never given back, one a mapping."""
    shared: dict[object, Any] = {}
    first = Table(shared=shared)
    shard = await first.only()
    tables = [first, *(Table(shared=shared, fake=first.fake) for _ in range(2))]
    readers = [table.open(shard) for table in tables]
    for reader in readers:
        assert await waits(reader, 5)
    assert [reader.condition.state for reader in readers] == ["polling", "polling", "waiting"]
    assert "2 mappings of this process" in readers[2].condition.reason
    assert set(first.fake.outcomes("GetRecords")) == {"ok"}
    await readers[0].close()
    await readers[0].close()
    await asyncio.sleep(2)
    assert await waits(readers[2], 5)
    assert readers[2].condition.state == "polling"
    await asyncio.gather(*(reader.close() for reader in readers))
    del readers, reader
    assert all(not kept for kept in shared.values())


@virtual
async def test_an_answer_without_records_is_no_end() -> None:
    """Catches: a body that lost its fields taken for a closed shard."""
    table = Table()
    shard = await table.only()
    table.put("a")
    table.fake.faults = [("GetRecords", {}), ("GetShardIterator", {})]
    assert await names(table.open(shard)) == ["a"]
