"""A shard of DynamoDB Streams, under core's log lane, passes the suite on the fake that keeps AWS's limits."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.testing import FakeClock, Harness, on_virtual_time
from headrace.testing.conformance import Ends, Fences, LaneConformance
from headrace_connectors.dynamodb.source import DynamoDBShards
from support.dynamodb import DynamoDBHarness, connected_to, opening_of
from support.fake_dynamodb import FakeDynamoDB


@on_virtual_time
class TestDynamoDBLane(LaneConformance, Ends, Fences):
    @pytest.fixture
    def harness(self) -> Harness:
        clock = FakeClock()
        fake = FakeDynamoDB(clock=clock)

        async def put(item: dict[str, Any]) -> None:
            fake.put_item(item)

        async def finish() -> None:
            fake.disable()

        shards = DynamoDBShards(opening_of({"table": "orders"}, clock=clock), connected_to(fake))
        return DynamoDBHarness(shards, put, finish, clock=clock, promptly=5, patience=100)
