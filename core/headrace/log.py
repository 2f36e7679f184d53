"""A lane over a log: reads forward, and commits how far everything has its verdict."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Protocol

from headrace.clock import SYSTEM, Clock
from headrace.model import Condition, Held, LaneEnded, LaneLost, Order, Position, Record, Traits
from headrace.observe import Log, log
from headrace.retry import again
from headrace.watermark import Watermark

LOG_TRAITS = Traits(Order.SEQUENCE, redelivers=False)


class Reader(Protocol):
    """Reads one log forward from where it was opened. Each record's token is its position.

    It reads whole pages and serves slices, so that a small limit never wastes a call that the source rations.
    Records that share a position come in one slice, past the limit if need be.
    """

    async def read(self, limit: int) -> Sequence[Record]:
        """Wait for records. Cancelling it loses none. Raises LaneEnded after the last."""
        ...

    async def close(self) -> None: ...


class Cursor(Protocol):
    """Keeps a log's position somewhere safe. Every write is fenced: LaneLost when another owner has the lane."""

    async def commit(self, position: Position) -> None:
        """Everything at and below *position* has its verdict. Returns when it is durable."""
        ...

    async def close(self, *, finished: bool) -> None:
        """Let the lane go; *finished* says that its log has ended and all of it is settled."""
        ...


class LogLane:
    """Joins a reader and a cursor into a lane.

    One committer writes, at its interval or sooner when much was settled, and tries again while the store is away;
    `ack` only tells the watermark.
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
        clock: Clock = SYSTEM,
        logger: Log | None = None,
    ) -> None:
        self.name = name
        self.deadline = math.inf
        self.condition = Condition("polling", since=clock.wall())
        self._reader, self._cursor, self._log = reader, cursor, logger or log()
        self._interval, self._commit_after = commit_interval, commit_after
        self._mark = Watermark()
        self._committed: Position | None = None
        self._uncommitted = 0
        self._much = asyncio.Event()
        self._lost = asyncio.Event()
        self._ended = self._closed = False

    @property
    def held(self) -> Held:
        return self._mark.above

    async def fetch(self, limit: int) -> Sequence[Record]:
        self._still_ours()
        try:
            records = await self._reader.read(limit)
        except LaneEnded:
            self._ended = True
            raise
        self._mark.track(records)
        return records

    async def ack(self, records: Sequence[Record]) -> None:
        self._still_ours()
        self._mark.settle(records)
        self._uncommitted += len(records)
        if self._uncommitted >= self._commit_after:
            self._much.set()

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:  # noqa: ARG002
        """Nothing to do: what is not settled holds the watermark back, and is read again from there."""
        self._still_ours()

    def _still_ours(self) -> None:
        if self._lost.is_set():
            raise LaneLost(self.name)

    async def leave(self) -> float:
        await self._lost.wait()
        return 0.0

    async def halt(self) -> int:
        """What the reader holds was never counted as read: the next owner reads it again."""
        return 0

    async def tend(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._interval):
                    await self._much.wait()
            except TimeoutError:
                pass
            self._much.clear()
            await self._commit()

    async def _commit(self) -> None:
        """Until it is done, however long the store is away."""
        try:
            async for attempt in again(self._log, "commit.failed", lane=self.name):
                with attempt:
                    await self._commit_once()
        except LaneLost:
            self._lost.set()
            raise

    async def _commit_once(self) -> None:
        reached = self._mark.reached
        if reached is None or reached == self._committed:
            return
        counted = self._uncommitted
        await self._cursor.commit(reached)
        self._committed = reached
        self._uncommitted -= counted

    async def close(self) -> None:
        """Commit once more and let go; of a lane that is lost nothing is written. Waits for a store that is away."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._lost.is_set():
                await self._commit()
                await self._cursor.close(finished=self._ended and not self._mark.above.records)
        finally:
            await self._reader.close()
