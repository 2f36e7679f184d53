"""What the fakes of Kinesis and DynamoDB Streams share: rates, seeds, faults by script, and a log of calls."""

from __future__ import annotations

import asyncio

import pytest

from headrace.testing import virtual
from headrace_connectors.aws import AwsError
from support.fake_kinesis import FakeKinesis
from support.fake_rates import Calls, Volume
from support.fake_streams import HANG, Delay

MIB = 1 << 20


def test_a_sliding_window_of_calls():
    calls = Calls(5)
    assert [calls.admit(100 + second / 10) for second in range(11)] == [True] * 5 + [False] * 5 + [True]


def test_a_volume_is_made_up_for():
    volume = Volume(2 * MIB)
    volume.add(100.0, 10 * MIB)
    assert volume.spent(104.9)
    assert not volume.spent(105.0)
    volume.add(105.0, MIB)
    assert not volume.spent(105.1)
    volume.add(105.1, MIB)
    assert volume.spent(105.9)
    assert not volume.spent(106.0)


@virtual
async def test_one_seed_is_one_history():
    assert FakeKinesis(seed=7).put("k", "a") == FakeKinesis(seed=7).put("k", "a") != FakeKinesis(seed=8).put("k", "a")


@virtual
async def test_faults_come_by_script():
    fake = FakeKinesis()
    (shard,) = fake.open_shards()
    position = {"ShardId": shard, "ShardIteratorType": "LATEST"}
    at = (await fake.call("GetShardIterator", StreamName=fake.name, **position))["ShardIterator"]
    fake.faults = [("GetRecords", AwsError("KMSThrottlingException", "slow")), ("GetRecords", {}), ("ListShards", HANG)]
    with pytest.raises(AwsError, match="KMSThrottlingException"):
        await fake.call("GetRecords", ShardIterator=at)
    assert await fake.call("GetRecords", ShardIterator=at) == {}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await fake.call("ListShards", StreamName=fake.name)
    fake.faults = lambda operation, _: Delay(3.0) if operation == "GetRecords" else None
    began = fake.clock.wall()
    assert (await fake.call("GetRecords", ShardIterator=at))["Records"] == []
    assert fake.clock.wall() - began == 3.0
    assert fake.outcomes("GetRecords") == ["KMSThrottlingException", "faulted", "ok"]
    assert fake.outcomes("ListShards") == ["cancelled"]
    with pytest.raises(AwsError, match="UnknownOperationException"):
        await fake.call("Scan")
