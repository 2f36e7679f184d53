"""The fake of Kinesis holds its readers to the limits that AWS documents, and does what AWS does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.testing import FakeClock, virtual
from headrace_connectors.aws import AwsError
from support.fake_kinesis import FakeKinesis

MIB = 1 << 20


async def iterator(fake: FakeKinesis, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
    answer = await fake.call("GetShardIterator", StreamName=fake.name, ShardId=shard, ShardIteratorType=kind, **more)
    return answer["ShardIterator"]


async def records(fake: FakeKinesis, at: str, **more: Any) -> dict[str, Any]:
    return await fake.call("GetRecords", ShardIterator=at, **more)


async def names(fake: FakeKinesis, **more: Any) -> list[str]:
    answer = await fake.call("ListShards", StreamName=fake.name, **more)
    return [shard["ShardId"] for shard in answer["Shards"]]


def raises(code: str) -> Any:
    return pytest.raises(AwsError, match=f"^{code}:")


@virtual
async def test_kinesis_answers_as_the_lean_client_does():
    fake = FakeKinesis()
    number = fake.put("key", b"\x00data")
    (shard,) = await names(fake)
    answer = await records(fake, await iterator(fake, shard))
    (record,) = answer["Records"]
    assert record.keys() == {"SequenceNumber", "ApproximateArrivalTimestamp", "Data", "PartitionKey"}
    assert (record["SequenceNumber"], record["Data"], record["PartitionKey"]) == (number, "AGRhdGE=", "key")
    assert record["ApproximateArrivalTimestamp"] == pytest.approx(FakeClock().wall(), abs=0.001)
    assert answer["MillisBehindLatest"] == 0
    assert len(number) == 56


@virtual
async def test_kinesis_start_positions():
    fake = FakeKinesis()
    numbers = []
    for name in "abc":
        numbers.append(fake.put("key", name))
        await asyncio.sleep(1)
    (shard,) = fake.open_shards()
    times = [entry.at for entry in fake.shards[shard].entries]

    async def begins(kind: str, **more: Any) -> list[str]:
        return [
            entry["SequenceNumber"]
            for entry in (await records(fake, await iterator(fake, shard, kind, **more)))["Records"]
        ]

    assert await begins("TRIM_HORIZON") == numbers
    assert await begins("LATEST") == []
    assert await begins("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == numbers[1:]
    await asyncio.sleep(1)
    assert await begins("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == numbers[2:]
    assert await begins("AT_TIMESTAMP", Timestamp=times[1]) == numbers[1:]
    assert await begins("AT_TIMESTAMP", Timestamp=times[1] + 0.001) == numbers[2:]
    with raises("InvalidArgumentException"):
        await begins("AT_TIMESTAMP", Timestamp=fake.clock.wall() + 1)
    await asyncio.sleep(1)
    with raises("InvalidArgumentException"):
        await begins("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber="1")


@virtual
async def test_kinesis_allows_five_reads_a_second_a_shard():
    fake = FakeKinesis(shards=2)
    one, other = [await iterator(fake, shard) for shard in fake.open_shards()]
    for _ in range(5):
        await records(fake, one)
    with raises("ProvisionedThroughputExceededException"):
        await records(fake, one)
    await records(fake, other)
    await asyncio.sleep(1)
    await records(fake, one)


@virtual
async def test_kinesis_stops_the_readers_of_a_full_answer_for_five_seconds():
    fake = FakeKinesis()
    for _ in range(12):
        fake.put("k", bytes(MIB - 1))
    (shard,) = fake.open_shards()
    answer = await records(fake, await iterator(fake, shard))
    assert len(answer["Records"]) == 10
    assert answer["MillisBehindLatest"] > 0
    await asyncio.sleep(4.9)
    with raises("ProvisionedThroughputExceededException"):
        await records(fake, answer["NextShardIterator"])
    await asyncio.sleep(0.1)
    assert len((await records(fake, answer["NextShardIterator"]))["Records"]) == 2


@virtual
async def test_kinesis_pages_and_limits():
    fake = FakeKinesis()
    for _ in range(10_001):
        fake.put("k", b"x")
    (shard,) = fake.open_shards()
    answer = await records(fake, await iterator(fake, shard))
    assert len(answer["Records"]) == 10_000
    assert len((await records(fake, answer["NextShardIterator"], Limit=1))["Records"]) == 1
    with raises("InvalidArgumentException"):
        await records(fake, answer["NextShardIterator"], Limit=10_001)


@virtual
async def test_kinesis_iterators_expire_after_five_minutes():
    fake = FakeKinesis()
    (shard,) = await names(fake)
    at = await iterator(fake, shard)
    await asyncio.sleep(299)
    at = (await records(fake, at))["NextShardIterator"]
    await asyncio.sleep(300)
    with raises("ExpiredIteratorException"):
        await records(fake, at)
    with raises("InvalidArgumentException"):
        await records(fake, "nonsense")


@virtual
async def test_kinesis_begins_at_the_horizon_where_a_position_was_trimmed():
    fake = FakeKinesis()
    first, second, third = [fake.put("k", name) for name in "abc"]
    (shard,) = fake.open_shards()
    held = await iterator(fake, shard)
    fake.trim(shard, first)
    for at in (
        held,
        await iterator(fake, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first),
        await iterator(fake, shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=first),
    ):
        assert [entry["SequenceNumber"] for entry in (await records(fake, at))["Records"]] == [second, third]


@virtual
async def test_kinesis_forgets_what_is_older_than_its_retention():
    fake = FakeKinesis(retention=3600.0)
    fake.put("k", "old")
    await asyncio.sleep(3000)
    kept = fake.put("k", "new")
    await asyncio.sleep(1000)
    (shard,) = await names(fake)
    answer = await records(fake, await iterator(fake, shard))
    assert [record["SequenceNumber"] for record in answer["Records"]] == [kept]


@virtual
async def test_kinesis_parents_end_with_their_children():
    fake = FakeKinesis()
    fake.put("k", "a")
    (parent,) = await names(fake)
    left, right = fake.split_shard(parent)
    answer = await records(fake, await iterator(fake, parent))
    assert len(answer["Records"]) == 1
    assert answer["NextShardIterator"] is None
    assert [(child["ShardId"], child["ParentShards"]) for child in answer["ChildShards"]] == [
        (left, [parent]),
        (right, [parent]),
    ]
    assert int(answer["ChildShards"][0]["HashKeyRange"]["EndingHashKey"]) + 1 == int(
        answer["ChildShards"][1]["HashKeyRange"]["StartingHashKey"]
    )
    merged = fake.merge_shards(left, right)
    answer = await records(fake, await iterator(fake, right))
    assert answer["NextShardIterator"] is None
    assert [child["ParentShards"] for child in answer["ChildShards"]] == [[left, right]]
    assert await names(fake) == [parent, left, right, merged]


@virtual
async def test_kinesis_may_end_a_shard_one_page_later():
    fake = FakeKinesis()
    fake.ends_with_records = False
    fake.put("k", "a")
    (parent,) = await names(fake)
    fake.split_shard(parent)
    answer = await records(fake, await iterator(fake, parent))
    assert "ChildShards" not in answer
    answer = await records(fake, answer["NextShardIterator"])
    assert answer["NextShardIterator"] is None
    assert len(answer["ChildShards"]) == 2


@virtual
async def test_kinesis_ends_at_once_where_a_shard_was_closed_before_the_time_asked_for():
    fake = FakeKinesis()
    fake.put("k", "a")
    (parent,) = await names(fake)
    fake.split_shard(parent)
    await asyncio.sleep(10)
    answer = await records(fake, await iterator(fake, parent, "AT_TIMESTAMP", Timestamp=fake.clock.wall() - 5))
    assert answer["Records"] == []
    assert answer["NextShardIterator"] is None


@virtual
async def test_kinesis_no_longer_lists_what_outlived_its_retention():
    fake = FakeKinesis()
    (parent,) = await names(fake)
    children = fake.split_shard(parent)
    await asyncio.sleep(24 * 3600 + 1)
    assert await names(fake) == children
    with raises("ResourceNotFoundException"):
        await iterator(fake, parent)


@virtual
async def test_kinesis_filters_its_listing():
    fake = FakeKinesis(shards=2)
    one, two = await names(fake)
    start = fake.clock.wall()
    await asyncio.sleep(10)
    three, four = fake.split_shard(one)

    async def filtered(kind: str, **more: Any) -> list[str]:
        return await names(fake, ShardFilter={"Type": kind, **more})

    assert await filtered("FROM_TRIM_HORIZON") == [one, two, three, four]
    assert await filtered("AT_TRIM_HORIZON") == [one, two]
    assert await filtered("AT_LATEST") == [two, three, four]
    assert await filtered("AFTER_SHARD_ID", ShardId=two) == [three, four]
    assert await filtered("AT_TIMESTAMP", Timestamp=start) == [one, two]
    assert await filtered("FROM_TIMESTAMP", Timestamp=fake.clock.wall() + 1) == [two, three, four]
    with raises("InvalidArgumentException"):
        await filtered("ALL")


@virtual
async def test_kinesis_lists_in_pages_that_may_repeat():
    fake = FakeKinesis(shards=5)
    fake.listing.page_size = 2
    pages = await listing(fake)
    assert [len(page) for page in pages] == [2, 2, 1]
    fake.listing.repeat_pages = True
    assert [len(page) for page in await listing(fake)] == [2, 2, 2, 2, 1, 1]


async def listing(fake: FakeKinesis) -> list[list[str]]:
    answer = await fake.call("ListShards", StreamName=fake.name)
    pages = [answer["Shards"]]
    while token := answer.get("NextToken"):
        answer = await fake.call("ListShards", NextToken=token)
        pages.append(answer["Shards"])
    return [[shard["ShardId"] for shard in page] for page in pages]


@virtual
async def test_kinesis_tokens_of_listings_expire_and_stand_alone():
    fake = FakeKinesis(shards=2)
    fake.listing.page_size = 1
    token = (await fake.call("ListShards", StreamName=fake.name))["NextToken"]
    with raises("InvalidArgumentException"):
        await fake.call("ListShards", StreamName=fake.name, NextToken=token)
    await asyncio.sleep(300)
    with raises("ExpiredNextTokenException"):
        await fake.call("ListShards", NextToken=token)


@virtual
async def test_kinesis_may_list_children_late():
    fake = FakeKinesis()
    fake.listing.delay = 5.0
    (parent,) = await names(fake)
    children = fake.split_shard(parent)
    answer = await fake.call("ListShards", StreamName=fake.name)
    (listed,) = answer["Shards"]
    assert "EndingSequenceNumber" not in listed["SequenceNumberRange"]
    await asyncio.sleep(5)
    assert await names(fake) == [parent, *children]


@virtual
async def test_kinesis_may_answer_nothing_while_behind():
    fake = FakeKinesis()
    fake.put("k", "a")
    fake.empty_pages = 1
    (shard,) = await names(fake)
    await asyncio.sleep(2)
    answer = await records(fake, await iterator(fake, shard))
    assert (answer["Records"], answer["MillisBehindLatest"]) == ([], 2000)
    assert len((await records(fake, answer["NextShardIterator"]))["Records"]) == 1


@virtual
async def test_kinesis_deleted_and_made_again_is_another():
    fake = FakeKinesis()
    number = fake.put("k", "a")
    (shard,) = await names(fake)
    at = await iterator(fake, shard)
    fake.delete()
    with raises("ResourceNotFoundException"):
        await names(fake)
    await asyncio.sleep(1)
    fake.create(1)
    assert await names(fake) == [shard]
    with raises("ResourceNotFoundException"):
        await records(fake, at)
    with raises("InvalidArgumentException"):
        await iterator(fake, shard, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=number)


@virtual
async def test_sequence_numbers_may_grow_in_length():
    fake = FakeKinesis()
    fake.open_shards()
    fake.numbers.last = 10**56 - 1
    fake.shards["shardId-000000000000"].number = 10**55
    assert len(fake.put("k", "b")) == 57


@virtual
async def test_kinesis_takes_records_as_calls():
    fake = FakeKinesis(shards=2)
    entries = [{"PartitionKey": str(key), "Data": "YQ=="} for key in range(20)]
    answer = await fake.call("PutRecords", StreamName=fake.name, Records=entries)
    assert {entry["ShardId"] for entry in answer["Records"]} == set(fake.open_shards())
    last = f"{2**128 - 1}"
    put = await fake.call("PutRecord", StreamName=fake.name, PartitionKey="k", Data=b"a", ExplicitHashKey=last)
    assert put["ShardId"] == fake.open_shards()[1]
