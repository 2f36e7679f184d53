"""A table's stream as its server tells of it: which one it is, its shards, and the calls that read them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Any

from headrace.clock import SYSTEM, Clock
from headrace.model import Position
from headrace.shards import Listed, Listing
from headrace_connectors.aws import AwsClient, AwsError, AwsSettings, aws_client, date_of
from headrace_connectors.dynamodb.options import DynamoDBOptions
from headrace_connectors.dynamodb.position import iterator
from headrace_connectors.streams.refusals import FINAL

TABLES, STREAMS = "dynamodb", "dynamodbstreams"

CONNECTIONS = 50
"""No call waits for records, so some tens of connections serve any number of shards."""

DESCRIBE = "DescribeStream"

BETWEEN_PAGES = 0.1
"""Seconds: DescribeStream may be called ten times a second."""

NO_STREAM = (
    "the table {table} has no stream: enable one (aws dynamodb update-table --table-name {table} "
    "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES)"
)

Connect = Callable[[str], AbstractAsyncContextManager[AwsClient]]
"""A client of the service of that name."""


def connecting(aws: AwsSettings) -> Connect:
    """How a table and its stream are reached: botocore repeats nothing, our own readers do."""
    return partial(aws_client, aws=aws, connections=CONNECTIONS, retries=0, dated={DESCRIBE}, final=FINAL)


class Stream:
    """One stream, by its ARN or as the latest of a table. Connects at its first call; what that meets is an AwsError.

    `about` is what was described last: StreamDescription, without its shards.
    """

    def __init__(
        self,
        options: DynamoDBOptions,
        connect: Connect,
        *,
        clock: Clock = SYSTEM,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._table, self._arn = options.table, options.stream_arn
        self._connect, self._clock, self._sleep = connect, clock, sleep
        self._stack = AsyncExitStack()
        self._connecting = asyncio.Lock()
        self._clients: dict[str, AwsClient] = {}
        self._now: float | None = None
        self.about: dict[str, Any] = {}

    async def _call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        async with self._connecting:
            if service not in self._clients:
                self._clients[service] = await self._stack.enter_async_context(self._connect(service))
        return await self._clients[service].call(operation, **params)

    async def arn(self) -> str:
        """The stream's; that which was found last, where it goes by its table."""
        return self._arn or await self._find()

    async def _find(self) -> str:
        """The table's latest stream: a new one where it was disabled and enabled again, or the table made anew."""
        if self._table is not None:
            described = await self._call(TABLES, "DescribeTable", TableName=self._table)
            if "Table" not in described:
                raise AwsError("IncompleteAnswer", "DescribeTable answered without Table")
            self._arn = described["Table"].get("LatestStreamArn")
        if self._arn is None:
            raise AwsError("NoStream", NO_STREAM.format(table=self._table))
        return self._arn

    async def listing(self) -> Listing:
        """Every shard that still holds records, or may come to: of all pages, open and closed."""
        arn = await self._find()
        shards = await self._described(arn)
        now = self._clock.wall() if self._now is None else self._now
        return Listing(identity=arn, shards=tuple(map(self._listed, shards)), now=now)

    async def children(self, arn: str, shard: str) -> list[Listed]:
        """Those that *shard* was followed by; a server that knows no filter names others too, which are left out."""
        wanted = {"Type": "CHILD_SHARDS", "ShardId": shard}
        shards = await self._described(arn, ShardFilter=wanted)
        return [self._listed(one) for one in shards if one.get("ParentShardId") == shard]

    async def has(self, arn: str, shard: str) -> bool:
        """Whether it is still listed: a closed one goes when its last record is gone."""
        return any(one["ShardId"] == shard for one in await self._described(arn))

    async def _described(self, arn: str, **more: Any) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = []
        start: dict[str, Any] = {}
        while True:
            answer = await self._call(STREAMS, DESCRIBE, StreamArn=arn, **start, **more)
            if "StreamDescription" not in answer:
                raise AwsError("IncompleteAnswer", "DescribeStream answered without StreamDescription")
            self.about, self._now = answer["StreamDescription"], date_of(answer)
            shards += self.about.pop("Shards", [])
            last = self.about.pop("LastEvaluatedShardId", None)
            if last is None:
                return shards
            start = {"ExclusiveStartShardId": last}
            await self._sleep(BETWEEN_PAGES)

    def _listed(self, shard: dict[str, Any]) -> Listed:
        parent = shard.get("ParentShardId")
        closed = bool(shard.get("SequenceNumberRange", {}).get("EndingSequenceNumber"))
        return Listed(
            name=shard["ShardId"],
            parents=(parent,) if parent else (),
            closed=closed or self.about.get("StreamStatus") == "DISABLED",
        )

    async def iterator(self, arn: str, shard: str, after: Position) -> str:
        """Where GetRecords begins behind *after*; good for 15 minutes."""
        answer = await self._call(STREAMS, "GetShardIterator", StreamArn=arn, ShardId=shard, **iterator(after))
        if not answer.get("ShardIterator"):
            raise AwsError("IncompleteAnswer", "GetShardIterator answered without an iterator")
        return str(answer["ShardIterator"])

    async def records(self, shard_iterator: str) -> dict[str, Any]:
        """One GetRecords: a whole page of up to 1,000 records or 1 MB."""
        answer = await self._call(STREAMS, "GetRecords", ShardIterator=shard_iterator)
        if "Records" not in answer:
            raise AwsError("IncompleteAnswer", "GetRecords answered without Records")
        return answer

    async def close(self) -> None:
        await self._stack.aclose()
