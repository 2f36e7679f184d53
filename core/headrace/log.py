"""A lane over a log: reads forward, and commits how far everything has its verdict."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from headrace.care import Careful, needed
from headrace.clock import SYSTEM, Clock
from headrace.ledger import Mark
from headrace.logparts import Cursor, Reader
from headrace.model import KEEP, Condition, Held, LaneEnded, LaneLost, Order, Position, Record, Traits, Unchanged
from headrace.observe import Log, log
from headrace.retry import again
from headrace.watermark import Watermark

CALM_WITHIN = 900.0
"""Seconds that a careful lane may take to finish its one record when it is to go on as usual: Lambda's longest call."""

LOG_TRAITS = Traits(Order.SEQUENCE, redelivers=False)

Closed: TypeAlias = Callable[[bool], None]
"""Is told that a lane was let go, and whether its log has ended and all of it is settled."""


class LogLane:
    """Joins a reader and a cursor into a lane.

    One committer writes, at its interval or sooner when much was settled, and tries again while the store is away;
    `ack` only tells the watermark.

    *crashes* owners in a row were lost where it is opened, with the *mark* of the last of them. After one it commits
    whatever is settled at once, so that a record which kills this one too lies right behind the position. After more it
    is careful, until the position has moved over *careful_for* records; then it asks to be left, and whoever takes it
    next goes on as usual.

    *memo* is what lies beside the position. While there is one the log is not finished, whatever it has read.
    """

    traits = LOG_TRAITS

    def __init__(
        self,
        name: str,
        reader: Reader,
        cursor: Cursor,
        *,
        commit_interval: float = 1.0,
        commit_after: int = 10_000,
        crashes: int = 0,
        mark: Mark | None = None,
        careful_for: int = 1000,
        memo: bytes | None = None,
        clock: Clock = SYSTEM,
        logger: Log | None = None,
        closed: Closed = lambda _: None,
    ) -> None:
        self.name = name
        self._condition = Condition("polling", since=clock.wall())
        self._reader, self._cursor, self._clock, self._log = reader, cursor, clock, logger or log()
        self._interval, self._commit_after = commit_interval, commit_after
        self._mark = Watermark()
        self._memo = memo
        self._memos: deque[tuple[int, bytes | None]] = deque()  # with the number below which all must be at rest
        self._told = 0
        self._point = self._committed = self._mark.reached, memo
        self._uncommitted = 0
        self._closed_by = closed
        self._much = asyncio.Event()
        self._lost = asyncio.Event()
        self._writing = asyncio.Lock()
        self._hurry = commit_after + careful_for if crashes else 0  # the last owner came no further
        self.care = Careful(mark, self._write_mark, careful_for) if needed(crashes, mark) else None
        if self.care is not None:
            self._log.warning("lane.careful", lane=name, crashes=crashes, mark=mark and mark.position)
        self._ended = self._closed = False

    @property
    def held(self) -> Held:
        return self._mark.above

    @property
    def deadline(self) -> float:
        return self._cursor.deadline

    @property
    def doubt(self) -> asyncio.Event | None:
        return self._cursor.doubt

    @property
    def epoch(self) -> int:
        return self._cursor.epoch

    @property
    def condition(self) -> Condition:
        """The reader's own, where it has one."""
        return getattr(self._reader, "condition", self._condition)

    @property
    def behind(self) -> float | None:
        """Seconds behind the log's tip, as far as its reader knows."""
        return getattr(self._reader, "behind", None)

    @property
    def oldest(self) -> float | None:
        return self._mark.oldest

    def place(self, record: Record) -> int:
        """As the watermark's."""
        return self._mark.place(record)

    @property
    def passed(self) -> int:
        """Records of a lower number are at or below the position that is committed, or about to be."""
        return self._mark.passed

    @property
    def sought(self) -> str:
        """What the last seek is called, of a log that keeps its positions itself; else empty."""
        return getattr(self._cursor, "sought", "")

    async def fetch(self, limit: int) -> Sequence[Record]:
        self._still_ours()
        try:
            records = await self._reader.read(limit)
        except LaneEnded:
            self._ended = True
            raise
        self._mark.track(records)
        if self.care is not None:
            self.care.read(records)
        return records

    def rest(self, position: Position) -> None:
        """Nothing came for a while, and all is settled: *position* is as good as that of the last record, and younger.

        Of a log with anything above its mark this changes nothing. A reader that keeps a position is told, too.
        """
        if not self._mark.above.records:
            self._mark.reached = position
            self._pass_memos()
            if rest := getattr(self._reader, "rest", None):
                rest(position)

    async def ack(self, records: Sequence[Record], memo: bytes | Unchanged | None = KEEP) -> None:
        self._still_ours()
        self._mark.settle(records)
        if not isinstance(memo, Unchanged):
            self._told = max([self._told, *[record.number + 1 for record in records]])
            self._memos.append((self._told, memo))
        self._pass_memos()
        if self.care is not None:
            self.care.settled(records, self._mark.passed)
        self._uncommitted += len(records)
        if self._uncommitted >= self._commit_after or self._mark.passed < self._hurry:
            self._much.set()

    def _pass_memos(self) -> None:
        """Find what may be committed: a position, and the memo of exactly what lies at and below it.

        While a memo tells of records whose position is not reached, as others of it are to come, it stays as it was.
        """
        while self._memos and self._memos[0][0] <= self._mark.passed:
            _, self._memo = self._memos.popleft()
        if not self._memos:
            self._point = self._mark.reached, self._memo

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:  # noqa: ARG002
        """Nothing to do: what is not settled holds the watermark back, and is read again from there."""
        self._still_ours()

    def _still_ours(self) -> None:
        if self._lost.is_set():
            raise LaneLost(self.name)

    async def leave(self) -> float:
        """When the cursor says so, a write was refused, or it need not be careful any longer."""
        calm = self.care.over if self.care is not None else asyncio.Event()
        lost, asked, over = (
            asyncio.ensure_future(wait) for wait in (self._lost.wait(), self._cursor.leave(), calm.wait())
        )
        try:
            await asyncio.wait((lost, asked, over), return_when=asyncio.FIRST_COMPLETED)
            seconds = 0.0 if lost.done() else float(asked.result()) if asked.done() else CALM_WITHIN
        finally:
            for wait in (lost, asked, over):
                wait.cancel()
        if seconds <= 0:
            self._lost.set()
        return seconds

    async def halt(self) -> int:
        """What the reader holds was never counted as read: the next owner reads it again."""
        return 0

    async def tend(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._much.wait()
            self._much.clear()
            if self._clock.boot() >= self.deadline:  # `leave` is not asked again once it had the lane drained
                self._lost.set()
                raise LaneLost(self.name)
            if self._point != self._committed:  # most often there is nothing new
                await self._commit()

    async def _commit(self) -> None:
        async with self._writing:
            await self._until_done("commit.failed", self._commit_once)

    async def _write_mark(self, mark: Mark) -> None:
        """With everything that is settled committed first: a commit that came after the mark would clear it."""
        async with self._writing:
            await self._until_done("commit.failed", self._commit_once)
            await self._until_done("mark.failed", partial(self._cursor.mark, mark))

    async def _until_done(self, event: str, write: Callable[[], Awaitable[None]]) -> None:
        """However long the store is away."""
        try:
            async for attempt in again(self._log, event, lane=self.name):
                with attempt:
                    await write()
        except LaneLost:
            self._lost.set()
            raise

    async def _commit_once(self) -> None:
        if self._point == self._committed:
            return
        (reached, memo), counted = self._point, self._uncommitted
        position = self._cursor.position if reached is None else reached
        await self._cursor.commit(position, KEEP if memo == self._committed[1] else memo)
        self._committed = reached, memo
        self._uncommitted -= counted

    async def close(self) -> None:
        """Commit once more and let go; of a lane that is lost nothing is written. Waits for a store that is away."""
        if self._closed:
            return
        self._closed, finished = True, False
        try:
            finished = await self._end()
        finally:
            self._cursor.drop()
            try:
                await self._reader.close()
            finally:
                self._closed_by(finished)

    async def _end(self) -> bool:
        """Commit and let go; true when nothing of this log is left."""
        if self._lost.is_set():
            return False
        await self._commit()
        if self.care is not None:
            await self.care.unmark()
        finished = self._ended and not self._mark.above.records and self._point[1] is None
        await self._let_go(finished=finished)
        return finished

    async def _let_go(self, *, finished: bool) -> None:
        async for attempt in again(self._log, "lease.not_released", lane=self.name):
            with attempt:
                await self._cursor.close(finished=finished)
