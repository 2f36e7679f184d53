"""Reads one shard by pages and serves slices: iterators, refusals, pace, the end. What is asked is the connector's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from headrace.clock import Clock
from headrace.errors import SourceUnavailable
from headrace.model import Condition, LaneEnded, Position, Record
from headrace.observe import Log
from headrace.retry import again
from headrace.shards import Found, Listed
from headrace_connectors.streams.pages import Pages
from headrace_connectors.streams.refusals import Refusal, refusal

OnTrimmed: TypeAlias = Literal["fail", "skip"]
"""What becomes of a shard whose next records its stream has already dropped."""

LEAST = 0.001
"""Seconds behind the tip while anything that was read waits to be served, whatever two clocks say."""

MENDS = {
    Refusal.TRIMMED: "set on_trimmed: skip to go on behind the gap, or seek to where you want to read on",
    Refusal.GONE: "set on_trimmed: skip to go on with its children, or seek to where you want to read on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of GetRecords.

    Attributes:
        records: in order; those of one position are in one page.
        next: the iterator to go on with; None: the shard has ended.
        reached: the position behind this page; None: it is that before it.
        behind: seconds between the page's end and the shard's tip; None: the answer does not show it.
        caught_up: nothing more was there: wait for the pause before the next call.
    """

    records: Sequence[Record]
    next: str | None
    reached: Position | None = None
    behind: float | None = None
    caught_up: bool = False


class ShardCalls(Protocol):
    """The calls by which one shard is read; a refusal is raised as it is (AwsError) or as understood (`Refused`)."""

    async def iterator(self, after: Position) -> str:
        """GetShardIterator."""
        ...

    async def page(self, iterator: str) -> Page:
        """GetRecords, within the rate that the shard allows."""
        ...

    async def children(self) -> Sequence[Listed]:
        """Of this shard, which has ended; none where the source does not name them."""
        ...


class PagedReader:
    """A `ShardReader` over the calls of its connector.

    It keeps the position of the last page and never an iterator for long: one that has expired is asked for anew from
    there. A refusal is a condition and is tried again; a position that was trimmed follows *on_trimmed*: with `fail`
    nothing is asked any more, and `read` waits for somebody to seek.

    *pause* is how many seconds lie between two calls when nothing more was there; *lost* is told of each gap; *hang_up*
    ends what the calls hold open, if they do.
    """

    def __init__(
        self,
        shard: str,
        after: Position,
        calls: ShardCalls,
        *,
        beginning: Position,
        found: Found,
        on_trimmed: OnTrimmed,
        pause: float,
        lost: Callable[[], None],
        clock: Clock,
        log: Log,
        hang_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._shard, self._after, self._calls = shard, after, calls
        self._beginning, self._found, self._on_trimmed = beginning, found, on_trimmed
        self._pause, self._lost, self._clock, self._log = pause, lost, clock, log
        self._hang_up = hang_up
        self.condition = Condition("polling", since=clock.wall())
        self._pages = Pages()
        self._iterator: str | None = None
        self._behind: float | None = None
        self._due = 0.0
        self._last = self._ended = self._stuck = False

    @property
    def behind(self) -> float | None:
        first = self._pages.first
        if first is None or self._behind is None:
            return self._behind
        return max(self._behind, self._clock.wall() - first.at, LEAST)

    async def read(self, limit: int) -> Sequence[Record]:
        while not self._pages:
            if self._stuck:
                await asyncio.Event().wait()
            if self._last:
                await self._end()
            await self._turn()
        return self._pages.take(limit)

    def rest(self, position: Position) -> None:
        """Nothing came for a while: *position* is as good as the last record's, which its stream may have forgotten."""
        if not self._pages:
            self._after = position

    async def close(self) -> None:
        if self._hang_up is not None:
            await self._hang_up()

    async def _turn(self) -> None:
        """One page, however long that takes; none where the shard can be read no further."""
        await asyncio.sleep(max(self._due - self._clock.boot(), 0))
        async for attempt in again(self._log, "read.failed", shard=self._shard):
            with attempt:
                began = self._clock.boot()
                try:
                    page = await self._ask()
                except SourceUnavailable as error:
                    if self._refused(error):
                        return
                    raise
                self._take(page, began)

    async def _ask(self) -> Page:
        """A page; with a new iterator where the one that we have is of no use any more."""
        if self._iterator is not None:
            try:
                return await self._calls.page(self._iterator)
            except SourceUnavailable as error:
                if refusal(error) is not Refusal.EXPIRED:
                    raise
                self._log.info("iterator.expired", shard=self._shard)
                self._say(Refusal.EXPIRED, f"asking for another after {self._after}")
                self._iterator = None
        self._iterator = await self._calls.iterator(self._after)
        return await self._calls.page(self._iterator)

    def _take(self, page: Page, began: float) -> None:
        self._say("polling")
        self._pages.put(page.records)
        self._iterator, self._last = page.next, page.next is None
        self._due = began + self._pause if page.caught_up else 0.0
        if page.reached is not None:
            self._after = page.reached
        if self._last:
            self._behind = 0.0
        elif page.behind is not None:
            self._behind = page.behind

    def _refused(self, error: SourceUnavailable) -> bool:
        """Draw the consequences; true when there is nothing to try again now."""
        match refusal(error):
            case Refusal.TRIMMED | Refusal.GONE as what:
                self._iterator = None
                return self._trimmed(what, error)
            case Refusal.EXPIRED | Refusal.INVALID as what:
                self._iterator = None
                self._say(Refusal.UNAVAILABLE if what is Refusal.INVALID else what, error)
            case what:
                self._say(what, error)
        return False

    def _trimmed(self, what: Refusal, error: Exception) -> bool:
        if self._on_trimmed == "fail":
            self._stuck = True
            why = f"{error}; records after {self._after} are lost: {MENDS[what]}"
            self._log.error("shard.trimmed", shard=self._shard, why=why)
            self._say(Refusal.TRIMMED, why)
            return True
        self._log.warning("records.lost_to_retention", shard=self._shard, after=self._after, error=str(error))
        self._lost()
        if what is Refusal.GONE:
            self._last, self._behind = True, 0.0
            return True
        self._after = self._beginning
        return False

    def _say(self, state: str, why: object = "") -> None:
        reason = str(why)
        if (state, reason) != (self.condition.state, self.condition.reason):
            self.condition = Condition(state, reason, self._clock.wall())

    async def _end(self) -> None:
        """Tell of the children, once, and then of the end. Who they are may be asked later too: an audit finds them."""
        if not self._ended:
            try:
                children = await self._calls.children()
            except SourceUnavailable as error:
                self._log.info("children.unknown", shard=self._shard, error=str(error))
                children = ()
            self._ended = True
            if children:
                self._found(children)
        raise LaneEnded(self._shard)
