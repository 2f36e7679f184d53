"""Shards read from a fake that holds its readers to AWS's limits: start positions, refusals, trimming, the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from headrace.errors import SourceUnavailable
from headrace.log import LogLane
from headrace.model import LaneEnded
from headrace.testing import FakeClock, MemoryCursor, MemoryLog, virtual
from headrace_connectors.aws import AwsError
from support.fake_kinesis import FakeKinesis
from support.fake_streams import HANG, Delay
from support.kinesis_reading import ids, over, read

SHARD = "shardId-000000000000"
RETENTION = 24 * 3600


def outcomes(fake: FakeKinesis, operation: str = "GetRecords") -> list[str]:
    return [call.outcome for call in fake.calls if call.operation == operation]


async def soon(reader, seconds: float = 30.0) -> list:
    """What is read in so many seconds, until nothing more comes."""
    records: list = []
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                records += await reader.read(10)
    return records


@virtual
async def test_every_position_begins_where_it_says():
    """Catches: after a record that begins with it; a time whose first record is left out."""
    fake = FakeKinesis()
    numbers = []
    for name in "abcd":
        numbers.append(fake.put("k", name))
        await asyncio.sleep(1)
    shards = over(fake)
    arrived = fake.shards[SHARD].entries[2].at
    for position, left in (
        (shards.beginning, numbers),
        (shards.at(arrived), numbers[2:]),
        (shards.at(arrived + 0.001), numbers[3:]),
        (shards.sequence(numbers[1]), numbers[1:]),
        (numbers[1], numbers[2:]),
        (numbers[3], []),
    ):
        assert ids(await soon(shards.reader(SHARD, position), 5)) == left, position


@virtual
async def test_a_page_is_read_whole_and_served_in_slices():
    """Catches: a call for every slice."""
    fake = FakeKinesis()
    numbers = [fake.put("k", "x") for _ in range(25)]
    reader = over(fake).reader(SHARD)
    slices = [ids(await reader.read(10)) for _ in range(3)]
    assert slices == [numbers[:10], numbers[10:20], numbers[20:]]
    assert outcomes(fake) == ["ok"]


@virtual
async def test_a_shard_is_never_asked_more_often_than_it_allows_and_seldom_at_its_tip():
    """Two mappings read one shard in one process. Catches: a pace of each reader's own; a reader without pause."""
    fake = FakeKinesis()
    first, second = over(fake), over(fake)
    second._opening = first._opening
    readers = [one.reader(SHARD) for one in (first, second)]
    waiting = [asyncio.ensure_future(soon(reader, 60)) for reader in readers]
    await asyncio.gather(*waiting)
    calls = len(outcomes(fake))
    assert set(outcomes(fake)) <= {"ok", "cancelled"}
    assert 110 <= calls <= 124
    big = [fake.put("k", b"x" * 1_000_000) for _ in range(25)]
    for reader in readers:
        assert ids(await read(reader, 25)) == big
    assert "ProvisionedThroughputExceededException" not in outcomes(fake)


@virtual
async def test_a_reader_that_is_behind_goes_on_through_empty_pages_at_once():
    """Catches: a second's pause after every empty page, by which a backlog is never caught up with."""
    fake = FakeKinesis()
    fake.put("k", "x")
    await asyncio.sleep(100)
    fake.empty_pages = 10
    shards = over(fake)
    start = asyncio.get_running_loop().time()
    reader = shards.reader(SHARD)
    await reader.read(1)
    assert asyncio.get_running_loop().time() - start < 2.5
    assert reader.behind == 0


@virtual
async def test_lag_is_what_kinesis_says():
    fake = FakeKinesis()
    fake.put("k", b"x" * 1_000_000)
    for _ in range(10):
        fake.put("k", b"x" * 1_000_000)
    await asyncio.sleep(50)
    reader = over(fake).reader(SHARD)
    assert reader.behind is None
    await reader.read(10)
    assert reader.behind == pytest.approx(50, abs=1)


@virtual
async def test_an_expired_iterator_is_asked_for_again_from_the_last_record():
    """Catches: an iterator that is kept as state; records read twice after it."""
    fake = FakeKinesis()
    numbers = [fake.put("k", "a")]
    reader = over(fake).reader(SHARD)
    assert ids(await reader.read(10)) == numbers
    await asyncio.sleep(3600)
    numbers.append(fake.put("k", "b"))
    assert ids(await read(reader, 1)) == numbers[1:]
    assert "ExpiredIteratorException" in outcomes(fake)
    assert reader.condition.ready


@virtual
@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("ProvisionedThroughputExceededException", "throttled"),
        ("KMSThrottlingException", "throttled"),
        ("KMSAccessDeniedException", "key unavailable"),
        ("AccessDeniedException", "denied"),
        ("InternalFailure", "unavailable"),
        ("ExpiredIteratorException", "iterator expired"),
    ],
)
async def test_a_refusal_is_a_condition_and_tried_again(code, state):
    """Catches: a refusal that ends the reader; one that is asked again without pause."""
    fake = FakeKinesis()
    numbers = [fake.put("k", name) for name in "ab"]
    fake.faults = lambda operation, _: AwsError(code, "why") if operation == "GetRecords" else None
    reader = over(fake).reader(SHARD)
    assert await soon(reader, 120) == []
    assert (reader.condition.state, reader.condition.ready) == (state, False)
    assert code in reader.condition.reason
    assert len(outcomes(fake)) < 60
    fake.faults = []
    assert ids(await soon(reader, 60)) == numbers
    assert reader.condition.ready


@virtual
@pytest.mark.parametrize("body", [{}, {"NextShardIterator": None}, {"Records": None}, {"Records": [{"Data": "eA=="}]}])
async def test_a_body_that_lost_its_records_is_no_end_and_no_empty_page(body):
    """aiobotocore gives such a dict for an answer that was cut off. Catches: a shard given up as ended."""
    fake = FakeKinesis()
    numbers = [fake.put("k", "a")]
    fake.faults = [("GetRecords", body)]
    reader = over(fake).reader(SHARD)
    assert ids(await read(reader, 1)) == numbers


@virtual
async def test_a_cancelled_read_loses_nothing():
    """Catches: a position that moves before its records are returned."""
    fake = FakeKinesis()
    fake.latency = 0.1
    reader = over(fake).reader(SHARD)
    records = []
    for turn in range(40):
        fake.put("k", str(turn))
        reading = asyncio.ensure_future(reader.read(1))
        await asyncio.sleep(0.07 * (turn % 7))
        reading.cancel()
        with suppress(asyncio.CancelledError):
            records += await reading
    records += await soon(reader)
    assert ids(records) == [entry.body["SequenceNumber"] for entry in fake.shards[SHARD].entries]


@virtual
async def test_a_call_that_hangs_is_made_again_by_the_next_read():
    fake = FakeKinesis()
    numbers = [fake.put("k", "a")]
    fake.faults = [("GetRecords", HANG), ("GetRecords", Delay(5))]
    reader = over(fake).reader(SHARD)
    assert await soon(reader, 10) == []
    assert ids(await read(reader, 1)) == numbers


@virtual
@pytest.mark.parametrize("ends_with_records", [True, False])
async def test_a_split_shard_ends_after_its_last_record_and_tells_of_its_children(ends_with_records):
    """Catches: an end that comes before the last records; children that are not told of."""
    fake = FakeKinesis()
    fake.ends_with_records = ends_with_records
    numbers = [fake.put("k", name) for name in "abc"]
    names = fake.split_shard(SHARD)
    shards = over(fake)
    reader = shards.reader(SHARD)
    assert ids(await read(reader, 3, limit=2)) == numbers
    for _ in range(2):
        with pytest.raises(LaneEnded):
            await reader.read(1)
    assert [(child.name, child.parents) for child in shards.found] == [(name, (SHARD,)) for name in names]


@virtual
async def test_a_reader_at_the_last_record_of_a_closed_shard_finds_its_end():
    fake = FakeKinesis()
    number = fake.put("k", "a")
    fake.split_shard(SHARD)
    reader = over(fake).reader(SHARD, number)
    with pytest.raises(LaneEnded):
        await reader.read(1)


@virtual
async def test_a_trimmed_position_stops_the_shard_and_says_why():
    """Kinesis goes on at the trim horizon in silence. Catches: AFTER_SEQUENCE_NUMBER, which shows nothing."""
    fake = FakeKinesis()
    lost, after = fake.put("k", "a"), fake.put("k", "b")
    fake.trim(SHARD, lost)
    shards = over(fake)
    reader = shards.reader(SHARD, lost)
    assert await soon(reader, 300) == []
    assert reader.condition.state == "trimmed"
    for word in (lost, after, "on_trimmed: skip", "seek"):
        assert word in reader.condition.reason
    assert len(fake.calls) < 6, "it waits, and does not ask the server over and over"


@virtual
async def test_a_trimmed_position_is_skipped_where_that_was_asked_for_and_the_gap_is_counted():
    """Catches: a gap that is not counted, or counted at every page."""
    fake = FakeKinesis()
    lost, *left = [fake.put("k", name) for name in "abc"]
    fake.trim(SHARD, lost)
    shards = over(fake, on_trimmed="skip")
    reader = shards.reader(SHARD, lost)
    assert ids(await soon(reader)) == left
    assert shards.tallies[SHARD].lost_to_retention == 1
    assert reader.condition.ready


@virtual
@pytest.mark.parametrize("policy", ["fail", "skip"])
async def test_a_position_that_is_trimmed_with_all_behind_it_is_noticed_too(policy):
    """The shard is empty: whether something came behind the position nobody knows any more."""
    fake = FakeKinesis()
    number = fake.put("k", "a")
    await asyncio.sleep(RETENTION + 60)
    shards = over(fake, on_trimmed=policy)
    reader = shards.reader(SHARD, number)
    assert await soon(reader, 30) == []
    assert reader.condition.state == ("trimmed" if policy == "fail" else "polling")
    assert shards.tallies[SHARD].lost_to_retention == (policy == "skip")
    if policy == "skip":
        new = fake.put("k", "b")
        assert ids(await soon(reader, 10)) == [new]
        assert shards.tallies[SHARD].lost_to_retention == 1


@virtual
async def test_empty_pages_before_the_record_are_no_trimming():
    """Catches: the first empty page taken for the shard's tip."""
    fake = FakeKinesis()
    numbers = [fake.put("k", name) for name in "ab"]
    await asyncio.sleep(5)
    fake.empty_pages = 8
    reader = over(fake).reader(SHARD, numbers[0])
    assert ids(await soon(reader, 10)) == numbers[1:]


@virtual
@pytest.mark.parametrize("policy", ["fail", "skip"])
async def test_records_that_are_trimmed_under_a_slow_reader_are_noticed(policy):
    """An iterator passes over them in silence. Catches: one that is gone on with so near to the edge of retention."""
    fake = FakeKinesis()
    numbers = [fake.put("k", b"x" * 1_000_000) for _ in range(40)]
    await asyncio.sleep(RETENTION - 30)
    shards = over(fake, on_trimmed=policy)
    reader = shards.reader(SHARD)
    first = await read(reader, 10)
    fake.trim(SHARD, numbers[14])
    rest = await soon(reader, 20)
    if policy == "fail":
        assert reader.condition.state == "trimmed"
        assert ids(first + rest) == numbers[: len(first + rest)]
    else:
        assert shards.tallies[SHARD].lost_to_retention == 1
        assert ids(first + rest) == numbers[:10] + numbers[15:]


@virtual
async def test_a_refusal_near_the_edge_of_retention_is_no_trimming():
    """Catches: a page that is asked for again by the last answer's iterator, which leads behind the position's record:
    that record does not come first then, and a shard of which nothing is lost stops as trimmed."""
    fake = FakeKinesis()
    numbers = [fake.put("k", b"x" * 1_000_000) for _ in range(40)]
    await asyncio.sleep(RETENTION - 600)
    reader = over(fake).reader(SHARD)
    first = await read(reader, 10)
    fake.faults = [
        ("GetRecords", AwsError("ProvisionedThroughputExceededException", "slow down")),
        ("GetShardIterator", AwsError("ProvisionedThroughputExceededException", "slow down")),
    ]
    assert ids(first + await soon(reader, 60)) == numbers
    assert reader.condition.ready


@virtual
async def test_a_quiet_stretch_at_the_edge_of_retention_is_passed():
    """Kinesis passes over it by empty pages, one next iterator after the other.

    Catches: an iterator that is asked for anew from the position, although nothing came: it begins again for ever.
    """
    fake = FakeKinesis()
    numbers = [fake.put("k", "x")]
    await asyncio.sleep(RETENTION - 600)
    fake.stretches = 3
    numbers += [fake.put("k", "x") for _ in range(3)]
    assert ids(await soon(over(fake).reader(SHARD), 60)) == numbers


@virtual
async def test_a_reader_that_rested_needs_its_last_record_no_more():
    """Its shard was quiet for longer than retention, and the server away for longer than an iterator is good for.

    Catches: the last record, which was read, taken for lost with what came behind it.
    """
    fake = FakeKinesis()
    first = fake.put("k", "a")
    shards = over(fake)
    lane = LogLane(SHARD, shards.reader(SHARD), MemoryCursor(MemoryLog(clock=fake.clock), 0), clock=fake.clock)
    records = await lane.fetch(10)
    assert ids(records) == [first]
    await lane.ack(records)
    await asyncio.sleep(RETENTION + 3600)
    lane.rest(shards.at(fake.clock.wall() - 600))
    await asyncio.sleep(1000)
    second = fake.put("k", "b")
    async with asyncio.timeout(60):
        assert ids(await lane.fetch(10)) == [second]


@virtual
@pytest.mark.parametrize("policy", ["fail", "skip"])
async def test_a_shard_that_is_gone_with_its_records_follows_the_same_policy(policy):
    """Catches: a closed shard past retention whose children wait for ever behind a server that knows it no more."""
    fake = FakeKinesis()
    number = fake.put("k", "a")
    fake.split_shard(SHARD)
    await asyncio.sleep(2 * RETENTION)
    shards = over(fake, on_trimmed=policy)
    reader = shards.reader(SHARD, number)
    if policy == "skip":
        with pytest.raises(LaneEnded):
            await reader.read(1)
    else:
        assert await soon(reader, 60) == []
        assert reader.condition.state == "trimmed"


@virtual
async def test_a_deleted_stream_is_missing_and_no_gap():
    fake = FakeKinesis()
    number = fake.put("k", "a")
    fake.delete()
    shards = over(fake, on_trimmed="skip")
    reader = shards.reader(SHARD, number)
    assert await soon(reader, 60) == []
    assert reader.condition.state == "missing"
    assert shards.tallies[SHARD].lost_to_retention == 0


@virtual
async def test_every_page_of_the_listing_is_read():
    """Catches: the first page taken for the whole graph; a page that came twice taken for more shards."""
    fake = FakeKinesis(shards=3)
    fake.split_shard(SHARD)
    fake.merge_shards("shardId-000000000001", "shardId-000000000002")
    fake.listing.page_size, fake.listing.repeat_pages = 2, True
    listing = await over(fake).list()
    assert [(one.name[-1], [parent[-1] for parent in one.parents], one.closed) for one in listing.shards] == [
        ("0", [], True),
        ("1", [], True),
        ("2", [], True),
        ("3", ["0"], False),
        ("4", ["0"], False),
        ("5", ["1", "2"], False),
    ]
    assert len(outcomes(fake, "ListShards")) == 6


@virtual
async def test_a_stream_made_again_is_another_one():
    """Catches: an identity of the name or the ARN alone."""
    fake = FakeKinesis()
    shards = over(fake)
    first = await shards.list()
    assert first.identity == (await shards.list()).identity
    await asyncio.sleep(5)
    fake.delete()
    with pytest.raises(SourceUnavailable, match="ResourceNotFound"):
        await shards.list()
    fake.create(1)
    again = await shards.list()
    assert again.identity != first.identity
    assert first.identity.startswith(f"{fake.arn}@")


@virtual
async def test_a_description_that_was_cut_off_is_not_another_stream():
    """Catches: an identity made up of the name where an answer lost its body: all is read anew."""
    fake = FakeKinesis()
    shards = over(fake)
    await shards.list()
    fake.faults = [("DescribeStreamSummary", {})]
    with pytest.raises(SourceUnavailable, match="IncompleteAnswer"):
        await shards.list()


@virtual
async def test_now_is_the_servers_own_time():
    """LATEST is made concrete by it. Catches: this machine's clock, which may be minutes ahead."""
    clock = FakeClock()
    fake = FakeKinesis()
    shards = over(fake, clock)
    clock.step(600)
    assert (await shards.list()).now == int(fake.clock.wall())
