"""The fake of DynamoDB Streams holds its readers to the limits that AWS documents, and does what AWS does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.testing import FakeClock, virtual
from headrace_connectors.aws import AwsError
from support.fake_dynamodb import FakeDynamoDB


def raises(code: str) -> Any:
    return pytest.raises(AwsError, match=f"^{code}:")


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"id": {"S": name}, **more}


async def arn_of(fake: FakeDynamoDB) -> str:
    return (await fake.call("DescribeTable", TableName=fake.name))["Table"]["LatestStreamArn"]


async def described(fake: FakeDynamoDB, **more: Any) -> list[dict[str, Any]]:
    """Every shard, over every page."""
    shards: list[dict[str, Any]] = []
    last: str | None = None
    while True:
        start = {"ExclusiveStartShardId": last} if last else {}
        answer = await fake.call("DescribeStream", StreamArn=await arn_of(fake), **start, **more)
        shards += answer["StreamDescription"]["Shards"]
        last = answer["StreamDescription"].get("LastEvaluatedShardId")
        if last is None:
            return shards


async def begun(fake: FakeDynamoDB, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
    arn = await arn_of(fake)
    answer = await fake.call("GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)
    return answer["ShardIterator"]


@virtual
async def test_dynamodb_answers_as_the_lean_client_does():
    fake = FakeDynamoDB()
    await asyncio.sleep(0.7)
    fake.put_item(item("1", data={"B": b"\x00"}))
    fake.put_item(item("1", data={"B": b"\x00"}))
    fake.put_item(item("1", data={"B": b"\x01"}))
    fake.delete_item(item("1"), expired=True)
    (shard,) = await described(fake)
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, shard["ShardId"]))
    insert, modify, remove = answer["Records"]
    assert [record["eventName"] for record in answer["Records"]] == ["INSERT", "MODIFY", "REMOVE"]
    assert insert["dynamodb"]["NewImage"] == {"id": {"S": "1"}, "data": {"B": "AA=="}}
    assert "OldImage" not in insert["dynamodb"]
    assert modify["dynamodb"]["OldImage"] == insert["dynamodb"]["NewImage"]
    assert remove["dynamodb"]["Keys"] == {"id": {"S": "1"}}
    assert remove["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert insert["dynamodb"]["ApproximateCreationDateTime"] == FakeClock().wall() // 1
    assert 21 <= len(insert["dynamodb"]["SequenceNumber"]) <= 40


@virtual
async def test_dynamodb_iterators_expire_after_fifteen_minutes():
    fake = FakeDynamoDB()
    at = await begun(fake, fake.open_shards()[0])
    await asyncio.sleep(899)
    at = (await fake.call("GetRecords", ShardIterator=at))["NextShardIterator"]
    await asyncio.sleep(900)
    with raises("ExpiredIteratorException"):
        await fake.call("GetRecords", ShardIterator=at)


@virtual
async def test_dynamodb_refuses_what_was_trimmed():
    fake = FakeDynamoDB(rollover_every=10**9)
    first = fake.put_item(item("a"))
    (shard,) = fake.open_shards()
    held = await begun(fake, shard)
    await asyncio.sleep(600)
    fake.put_item(item("b"))
    fake.trim(shard, str(first))
    with raises("TrimmedDataAccessException"):
        await fake.call("GetRecords", ShardIterator=held)
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        with raises("TrimmedDataAccessException"):
            await begun(fake, shard, kind, SequenceNumber=first)
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, shard))
    assert len(answer["Records"]) == 1
    await asyncio.sleep(24 * 3600 + 1)
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, shard))
    assert answer["Records"] == []


@virtual
async def test_dynamodb_pages():
    fake = FakeDynamoDB()
    for number in range(1_001):
        fake.put_item(item(str(number)))
    (shard,) = fake.open_shards()
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, shard))
    assert len(answer["Records"]) == 1_000
    for number in range(8):
        fake.put_item(item(f"large-{number}", text={"S": "x" * 300_000}))
    answer = await fake.call("GetRecords", ShardIterator=answer["NextShardIterator"])
    assert len(answer["Records"]) == 1 + 3
    with raises("ValidationException"):
        await fake.call("GetRecords", ShardIterator=answer["NextShardIterator"], Limit=1_001)


@virtual
async def test_dynamodb_rolls_over_every_four_hours_and_by_hand():
    fake = FakeDynamoDB(shards=2)
    one, two = [shard["ShardId"] for shard in await described(fake)]
    counts = []
    for _ in range(6):
        await asyncio.sleep(2 * 3600)
        counts.append(len(await described(fake)))
    assert counts == [3, 4, 5, 6, 7, 8]  # the first partition's first shard lives for two hours, so that they alternate
    shards = await described(fake)
    assert [shard["ShardId"] for shard in shards if "ParentShardId" not in shard] == [one, two]
    closed = [shard["ShardId"] for shard in shards if "EndingSequenceNumber" in shard["SequenceNumberRange"]]
    assert sorted(shard["ParentShardId"] for shard in shards if "ParentShardId" in shard) == sorted(closed)
    assert len(closed) == 6
    name = fake.open_shards()[0]
    child = fake.rollover(name)
    (listed,) = await described(fake, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": name})
    assert listed["ShardId"] == child
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, name))
    assert answer["NextShardIterator"] is None


@virtual
async def test_dynamodb_lists_a_hundred_shards_a_page_ten_times_a_second():
    fake = FakeDynamoDB(shards=250)
    assert len(await described(fake)) == 250
    assert len(fake.outcomes("DescribeStream")) == 3
    for _ in range(7):
        await fake.call("DescribeStream", StreamArn=await arn_of(fake))
    with raises("ThrottlingException"):
        await described(fake)


@virtual
async def test_dynamodb_throttles_a_third_reader_of_a_shard():
    fake = FakeDynamoDB()
    one, two, three = [await begun(fake, fake.open_shards()[0]) for _ in range(3)]
    for _ in range(3):
        one = (await fake.call("GetRecords", ShardIterator=one))["NextShardIterator"]
        two = (await fake.call("GetRecords", ShardIterator=two))["NextShardIterator"]
        with raises("LimitExceededException"):
            await fake.call("GetRecords", ShardIterator=three)
        await asyncio.sleep(1)
    await asyncio.sleep(1)
    await fake.call("GetRecords", ShardIterator=three)


@virtual
async def test_dynamodb_streams_are_switched_off_and_on():
    fake = FakeDynamoDB()
    fake.put_item(item("a"))
    old = await arn_of(fake)
    (shard,) = fake.open_shards()
    fake.disable()
    fake.put_item(item("lost"))
    stream = (await fake.call("DescribeStream", StreamArn=old))["StreamDescription"]
    assert stream["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in stream["Shards"][0]["SequenceNumberRange"]
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, shard))
    assert len(answer["Records"]) == 1
    assert answer["NextShardIterator"] is None
    await asyncio.sleep(1)
    assert fake.enable("KEYS_ONLY") == await arn_of(fake) != old
    fake.put_item(item("b", text={"S": "x"}))
    answer = await fake.call("GetRecords", ShardIterator=await begun(fake, fake.open_shards()[0]))
    assert "NewImage" not in answer["Records"][0]["dynamodb"]
    await asyncio.sleep(24 * 3600)
    with raises("ResourceNotFoundException"):
        await fake.call("DescribeStream", StreamArn=old)
