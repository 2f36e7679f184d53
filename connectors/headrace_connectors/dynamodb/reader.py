"""Reads one shard of a stream, as one of at most two readers that it has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headrace.clock import Clock
from headrace.model import Condition, LaneEnded, Position, Record
from headrace.shards import Listed
from headrace_connectors.aws import AwsError
from headrace_connectors.dynamodb.event import records
from headrace_connectors.dynamodb.position import floor_of, from_horizon
from headrace_connectors.dynamodb.stream import Stream
from headrace_connectors.streams.reader import LEAST, Page, PagedReader
from headrace_connectors.streams.refusals import Refusal, Refused, refusal

PAUSE = 0.25
"""Seconds between two calls of a reader that has caught up: Lambda polls a shard four times a second."""

READERS = 2
"""At most so many read a shard at a time: developer guide, Change data capture. More may be throttled."""

WAITING = (
    f"{READERS} mappings of this process read this shard already, and DynamoDB lets no more: stop one of them, or have "
    "one mapping do the work of both"
)


class DynamoDBCalls:
    """The calls by which *shard* is read. *closed* says that nothing is written to it any more.

    The stream is that which was found when the first iterator was asked for, whatever its table has later.
    """

    def __init__(self, shard: str, *, stream: Stream, closed: bool, clock: Clock) -> None:
        self._shard, self._stream, self._closed, self._clock = shard, stream, closed, clock
        self._arn = ""
        self._floor: float | None = None
        self._begun = self._at_horizon = False

    async def iterator(self, after: Position) -> str:
        if not self._begun:
            self._arn, self._floor, self._begun = await self._stream.arn(), floor_of(after), True
        self._at_horizon = from_horizon(after)
        try:
            return await self._stream.iterator(self._arn, self._shard, after)
        except AwsError as error:
            raise await self._understood(error) from error

    async def page(self, iterator: str) -> Page:
        try:
            answer = await self._stream.records(iterator)
        except AwsError as error:
            raise await self._understood(error) from error
        self._at_horizon = False
        read = records(answer["Records"], arn=self._arn, region=self._arn.split(":")[3])
        return Page(
            records=self._wanted(read),
            next=answer.get("NextShardIterator"),
            reached=read[-1].token if read else None,
            behind=self._behind(read),
            caught_up=not read and not self._closed,
        )

    async def children(self) -> Sequence[Listed]:
        return await self._stream.children(self._arn, self._shard)

    def _wanted(self, read: Sequence[Record]) -> Sequence[Record]:
        """Without what was created before the start, until the first that was not: later ones are wanted, all of them.

        Times are whole seconds, so what was created within the start's own second is wanted too.
        """
        if self._floor is None:
            return read
        first = next((index for index, record in enumerate(read) if record.at >= self._floor), len(read))
        if first < len(read):
            self._floor = None
        return read[first:]

    def _behind(self, read: Sequence[Record]) -> float | None:
        """DynamoDB does not tell: an open shard that answers nothing is at its tip; a closed one may still go on."""
        if read:
            return max(self._clock.wall() - read[-1].at, LEAST)
        return None if self._closed else 0.0

    async def _understood(self, error: AwsError) -> Exception:
        """The refusal as it is, or what it means where the code alone does not say it."""
        match refusal(error):
            case Refusal.TRIMMED if self._at_horizon:  # trimmed between two calls; there is a later first record
                return Refused(Refusal.EXPIRED, str(error))
            case Refusal.MISSING if not await self._stream.has(self._arn, self._shard):
                return Refused(Refusal.GONE, f"the stream has no shard {self._shard} any more")
        return error


class DynamoDBReader:
    """A `ShardReader` that waits for a place among the readers of its shard; *places* are `READERS` of them."""

    def __init__(self, reader: PagedReader, places: asyncio.Semaphore, *, clock: Clock) -> None:
        self._reader, self._places, self._clock = reader, places, clock
        self._placed = False
        self._waiting: Condition | None = None

    @property
    def behind(self) -> float | None:
        return self._reader.behind

    @property
    def condition(self) -> Condition:
        return self._waiting or self._reader.condition

    async def read(self, limit: int) -> Sequence[Record]:
        if not self._placed:
            await self._take_place()
        try:
            return await self._reader.read(limit)
        except LaneEnded:
            self._leave()
            raise

    async def close(self) -> None:
        self._leave()
        await self._reader.close()

    async def _take_place(self) -> None:
        if self._places.locked():
            self._waiting = self._waiting or Condition("waiting", WAITING, self._clock.wall())
        await self._places.acquire()
        self._placed, self._waiting = True, None

    def _leave(self) -> None:
        if self._placed:
            self._placed = False
            self._places.release()
