"""A shard of DynamoDB Streams, under core's log lane, is held to the conformance suite against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from headrace.clock import SYSTEM
from headrace.testing.conformance import Ends, Fences, LaneConformance
from headrace_connectors.dynamodb.source import DynamoDBShards
from support.dynamodb import DynamoDBHarness, opening_of
from support.servers import REGION, Ministack
from support.tables import make_table


class TestDynamoDBLane(LaneConformance, Ends, Fences):
    @pytest.fixture
    async def harness(
        self, ministack: Ministack, dynamodb: Any, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[DynamoDBHarness]:
        for name, value in aws_env.items():
            monkeypatch.setenv(name, value)
        table, arn = await make_table(dynamodb)

        async def put(item: dict[str, Any]) -> None:
            await dynamodb.put_item(TableName=table, Item=item)

        async def finish() -> None:
            await dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})

        opening = opening_of({"stream_arn": arn, "region": REGION, "endpoint_url": ministack.url})
        shards = DynamoDBShards(opening)
        yield DynamoDBHarness(shards, put, finish, clock=SYSTEM, promptly=2, patience=4)
        await shards.close()
