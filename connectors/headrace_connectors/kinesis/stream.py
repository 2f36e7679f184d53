"""A stream as its server tells of it: who it is, its shards, and the calls that read them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from headrace.clock import SYSTEM, Clock
from headrace.model import Position
from headrace.shards import Listed, Listing
from headrace_connectors.aws import AwsClient, AwsError, AwsSettings, aws_client, date_of
from headrace_connectors.connection import Connection
from headrace_connectors.kinesis.aggregates import HashRange
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.kinesis.position import TRIM_HORIZON, iterator
from headrace_connectors.streams.refusals import FINAL

CONNECTIONS = 50
"""No call waits at Kinesis for records, so some tens of connections serve any number of shards."""

SUMMARY = "DescribeStreamSummary"

_UNKNOWN_OPERATION = frozenset({"UnknownOperationException", "InvalidAction", "NotImplemented", "501"})

_ACCOUNT = "000000000000"
_REGION = "us-east-1"

Connect = Callable[[], AbstractAsyncContextManager[AwsClient]]


def connecting(aws: AwsSettings) -> Connect:
    """How a stream is reached: botocore repeats nothing, since a shard's rate counts what it repeats too."""
    return partial(aws_client, "kinesis", aws, connections=CONNECTIONS, retries=0, dated={SUMMARY}, final=FINAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a stream is, as its server said at `now` (Unix seconds, the server's own where it tells them).

    `identity` is of this stream and no other: its ARN and the time when it was made.
    """

    arn: str
    identity: str
    now: float
    retention_hours: int | None = None

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]


class Stream:
    """One stream. It connects at its first call; whatever a call meets is an AwsError."""

    def __init__(self, options: KinesisOptions, aws: AwsSettings, connect: Connect, *, clock: Clock = SYSTEM) -> None:
        self.name = options.name
        self._named = {"StreamARN": options.arn} if options.arn else {"StreamName": options.name}
        self._by_arn = {"StreamARN": options.arn} if options.arn else {}
        self._made_up = options.arn or f"arn:aws:kinesis:{aws.region or _REGION}:{_ACCOUNT}:stream/{options.name}"
        self._connection = Connection.of(connect)
        self._clock = clock
        self._listed: dict[str, dict[str, Any]] = {}
        self.about: About | None = None

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        client = await self._connection.get()
        return await client.call(operation, **params)

    async def known(self) -> About:
        """What is known of it; asks if nothing is."""
        return self.about or await self.describe()

    async def describe(self) -> About:
        """Ask anew. A server that has no such call (an emulator) leaves the stream its ARN for an identity."""
        try:
            answer = await self._call(SUMMARY, **self._named)
        except AwsError as error:
            if error.code not in _UNKNOWN_OPERATION:
                raise
            answer = {"StreamDescriptionSummary": {}}
        if (
            "StreamDescriptionSummary" not in answer
        ):  # cut off: taken for a server without the call, it is another stream
            raise AwsError("IncompleteAnswer", f"{SUMMARY} answered without StreamDescriptionSummary")
        now = date_of(answer)
        about = answer["StreamDescriptionSummary"]
        arn = about.get("StreamARN", self._made_up)
        made = about.get("StreamCreationTimestamp")
        self.about = About(
            arn=arn,
            identity=arn if made is None else f"{arn}@{_seconds(made):.3f}",
            now=self._clock.wall() if now is None else now,
            retention_hours=about.get("RetentionPeriodHours"),
        )
        return self.about

    async def listing(self) -> Listing:
        """Every shard that still holds records, or may come to: of all pages, open and closed."""
        about = await self.describe()
        shards = tuple(map(_listed, (await self._shards()).values()))
        return Listing(identity=about.identity, shards=shards, now=about.now)

    async def has(self, shard: str) -> bool:
        """Whether it is still listed: a closed one goes when its last record is trimmed."""
        return shard in await self._shards()

    async def hash_range(self, shard: str) -> HashRange | None:
        """The first and the last hash key of *shard*; None where it is listed no more."""
        if shard not in self._listed:
            await self._shards()
        keys = self._listed.get(shard, {}).get("HashKeyRange")
        return None if keys is None else (int(keys["StartingHashKey"]), int(keys["EndingHashKey"]))

    async def _shards(self) -> dict[str, dict[str, Any]]:
        """By name: a page may come twice."""
        shards: dict[str, dict[str, Any]] = {}
        asked: dict[str, Any] = self._named
        while True:
            answer = await self._call("ListShards", **asked)
            if "Shards" not in answer:
                raise AwsError("IncompleteAnswer", "ListShards answered without Shards")
            shards |= {one["ShardId"]: one for one in answer["Shards"]}
            if not answer.get("NextToken"):
                self._listed = shards
                return shards
            asked = {"NextToken": answer["NextToken"]}

    async def iterator(self, shard: str, after: Position = TRIM_HORIZON) -> str:
        """Where GetRecords begins behind *after*; good for five minutes."""
        answer = await self._call("GetShardIterator", **self._named, ShardId=shard, **iterator(after))
        if not answer.get("ShardIterator"):
            raise AwsError("IncompleteAnswer", "GetShardIterator answered without an iterator")
        return str(answer["ShardIterator"])

    async def consumer(self, name: str) -> dict[str, Any]:
        """What is known of the consumer that was registered with the stream under this name.

        Raises:
            AwsError: ResourceNotFoundException: none was.
        """
        about = await self.known()
        answer = await self._call("DescribeStreamConsumer", StreamARN=about.arn, ConsumerName=name)
        return dict(answer.get("ConsumerDescription", {}))

    async def records(self, shard_iterator: str) -> dict[str, Any]:
        """One GetRecords: a whole page, so that no call that Kinesis rations is spent on a part of one."""
        return await self._call("GetRecords", **self._by_arn, ShardIterator=shard_iterator)

    async def close(self) -> None:
        await self._connection.close()


def _listed(shard: dict[str, Any]) -> Listed:
    parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
    return Listed(
        name=shard["ShardId"],
        parents=tuple(parent for parent in parents if parent),
        closed=bool(shard.get("SequenceNumberRange", {}).get("EndingSequenceNumber")),
    )


def children(answer: dict[str, Any]) -> list[Listed]:
    """The shards that a GetRecords answer names as those of the shard that ends with it."""
    return [
        Listed(name=one["ShardId"], parents=tuple(one.get("ParentShards", ())))
        for one in answer.get("ChildShards") or ()
    ]


def _seconds(time: Any) -> float:
    return float(time) if isinstance(time, (int, float)) else float(time.timestamp())
