"""The calls that read one shard: within its rate, and so that a position which retention took is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from headrace.clock import SYSTEM, Clock
from headrace.model import Position, Record
from headrace.shards import Listed
from headrace_connectors.aws import AwsError
from headrace_connectors.kinesis.pace import Pace, nbytes
from headrace_connectors.kinesis.position import TRIM_HORIZON, Met, beyond, is_after_record
from headrace_connectors.kinesis.stream import About, children
from headrace_connectors.streams.reader import Page
from headrace_connectors.streams.refusals import Refusal, Refused, refusal

TIPS = 3
"""Empty answers at the shard's tip, after which a record that was to come first will not come: it was trimmed."""

EDGE = 900.0
"""Seconds short of retention. A reader so far behind asks for every page from its position, not from the last answer's
iterator: that one passes over, in silence, what is trimmed under it. But where an answer was empty only its iterator
leads on, through a stretch of the shard in which nothing was written."""

AT_ONCE = 10.0
"""Seconds within which the iterator of an empty answer is gone on with there."""


class Asked(Protocol):
    """Of whom one shard's iterators and records are asked: a `Stream`, or a subscription that answers as one."""

    async def known(self) -> About: ...

    async def has(self, shard: str) -> bool: ...

    async def iterator(self, shard: str, after: Position = TRIM_HORIZON) -> str: ...

    async def records(self, shard_iterator: str) -> dict[str, Any]: ...


ToRecords: TypeAlias = Callable[[Sequence[dict[str, Any]], About], list[Record]]


class KinesisCalls:
    """`ShardCalls` of a polled shard.

    A position after a record is opened *at* that record, which then must come first and is left out: where another
    comes, or none, it was trimmed, and what came behind it may be.
    """

    def __init__(self, shard: str, *, stream: Asked, pace: Pace, to_records: ToRecords, clock: Clock = SYSTEM) -> None:
        self._shard, self._stream, self._pace = shard, stream, pace
        self._to_records, self._clock = to_records, clock
        self._after: Position = TRIM_HORIZON
        self._met = False  # nothing was trimmed behind the position
        self._tips = 0
        self._edge: str | None = None  # the last answer's iterator, where that is so near to the edge of retention
        self._came, self._answered = False, 0.0
        self._children: Sequence[Listed] = ()

    async def iterator(self, after: Position) -> str:
        self._after, self._met, self._tips = after, False, 0
        try:
            return await self._stream.iterator(self._shard, after)
        except AwsError as error:
            if refusal(error) not in {Refusal.INVALID, Refusal.MISSING}:
                raise
            refused = error
        if not await self._stream.has(self._shard):
            raise Refused(Refusal.GONE, f"{self._shard} is listed no more: its records are past retention")
        if is_after_record(after):
            await self._stream.iterator(self._shard)  # that there is one shows that the position alone is refused
            raise Refused(Refusal.TRIMMED, f"{self._shard} is read on after a record that is not there: {refused}")
        raise refused

    async def page(self, iterator: str) -> Page:
        about = await self._stream.known()
        if iterator == self._edge and (self._came or self._clock.boot() > self._answered + AT_ONCE):
            iterator = await self.iterator(self._after)
        while (wait := self._pace.due - self._clock.boot()) > 0:  # noqa: ASYNC110 - for a time, not for an event
            await asyncio.sleep(wait)
        self._pace.sent(self._clock.boot())
        answer = await self._stream.records(iterator)
        try:
            return self._page(answer, about)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AwsError("IncompleteAnswer", f"GetRecords did not answer as it should: {error!r}") from error

    def _page(self, answer: dict[str, Any], about: About) -> Page:
        came: list[dict[str, Any]] = answer["Records"]
        upcoming: str | None = answer.get("NextShardIterator")
        lag: float | None = answer.get("MillisBehindLatest")
        self._pace.served(self._clock.boot(), nbytes(came))
        caught_up = not came if lag is None else not lag
        fresh, met = (came, Met.YES) if self._met else beyond(came, self._after)
        self._tips = self._tips + 1 if caught_up and not came else 0
        if met is Met.NO or (met is Met.NOT_YET and (upcoming is None or self._tips >= TIPS)):
            first = f"the first is {fresh[0]['SequenceNumber']}" if fresh else "there is none"
            raise Refused(Refusal.TRIMMED, f"{self._shard} does not hold record {self._after} any more: {first}")
        records = self._to_records(fresh, about)
        self._met = met is Met.YES
        if fresh:
            self._after = fresh[-1]["SequenceNumber"]
        self._edge = upcoming if _is_near(lag, about.retention_hours) else None
        self._came, self._answered = bool(fresh), self._clock.boot()
        self._children = children(answer)
        return Page(
            records=records,
            next=upcoming,
            reached=self._after if fresh else None,
            behind=None if lag is None else lag / 1000,
            caught_up=caught_up,
        )

    async def children(self) -> Sequence[Listed]:
        """Of the last answer: Kinesis names them there."""
        return self._children


def _is_near(lag: float | None, retention_hours: int | None) -> bool:
    """Whether what a reader so many milliseconds behind would read next is about to be trimmed."""
    return bool(lag and retention_hours and lag / 1000 > retention_hours * 3600 - EDGE)
