"""A log in memory, with an owner and a committed position: the reader and the cursor for core's `LogLane`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import Any

from headrace.clock import Clock
from headrace.ledger import Mark
from headrace.log import LogLane
from headrace.model import KEEP, LaneEnded, LaneLost, Position, Record, Unchanged
from headrace.testing.clock import FakeClock


class MemoryLog:
    """Records in order, read by whole pages; one owner at a time, told from the last by its epoch.

    As in a ledger, an owner that did not let go was lost: `crashes` counts those at one position, and `mark` is what
    the last of them was trying.

    Faults for tests: `refuse_commits` is how many of the next commits fail; `away` makes all of them fail; `delay`
    is how many seconds each write takes (a store is never at once).
    `commits` is the history as (epoch, position); `reads` counts pages; `finished` says that the last owner let go of
    a log that has ended and is settled to its end; `cursor` is that of the last lane, whose `deadline` may be set.
    """

    def __init__(self, *, page: int = 10, clock: Clock | None = None) -> None:
        self.page = page
        self.clock = clock or FakeClock()
        self.entries: list[tuple[str, str | None, Position, float]] = []
        self.sealed = False
        self.epoch = 0
        self.position: Position | None = None
        self.memo: bytes | None = None
        self.held = False
        self.crashes = 0
        self.mark: Mark | None = None
        self.commits: list[tuple[int, Position]] = []
        self.refuse_commits = 0
        self.away = False
        self.delay = 0.001
        self.reads = 0
        self.finished = False
        self.cursor = MemoryCursor(self, 0)
        self.grown = asyncio.Event()

    def put(self, names: Iterable[str], keys: Sequence[str | None] | None = None, *, shared: bool = False) -> None:
        """Append records; *shared* puts all of them at one position, as the parts of one aggregated record are."""
        position = f"{len(self.entries):08}"
        for index, name in enumerate(names):
            if not shared:
                position = f"{len(self.entries):08}"
            self.entries.append((name, keys[index] if keys else None, position, self.clock.wall()))
        self.grown.set()

    def seal(self) -> None:
        """No more will come: readers raise LaneEnded after the last record."""
        self.sealed = True
        self.grown.set()

    def seize(self) -> int:
        """Become the owner: whoever was is fenced from now on. Returns the epoch to write with."""
        self.epoch += 1
        self.crashes += self.held
        self.held = True
        return self.epoch

    def kill(self) -> None:
        """The owner's process is gone: whatever it still writes is fenced."""
        self.epoch += 1

    def lane(self, name: str = "log", **settings: Any) -> LogLane:
        """Seize the log, and open it behind its committed position. *settings*: those of `LogLane`."""
        self.cursor = MemoryCursor(self, self.seize())
        settings.setdefault("clock", self.clock)
        settings = {"crashes": self.crashes, "mark": self.mark, "memo": self.memo, **settings}
        return LogLane(name, MemoryReader(self, self.position), self.cursor, **settings)


class MemoryReader:
    """Reads a `MemoryLog` forward from behind a position; `closed` tells whether it was closed."""

    def __init__(self, log: MemoryLog, after: Position | None) -> None:
        self._log = log
        self._next = sum(after is not None and position <= after for _, _, position, _ in log.entries)
        self._page: list[Record] = []
        self.closed = False

    async def read(self, limit: int) -> Sequence[Record]:
        while not self._page:
            self._page = self._read_page()
            if self._page:
                break
            if self._log.sealed:
                raise LaneEnded
            self._log.grown.clear()
            await self._log.grown.wait()
        cut = self._whole(self._page, limit)
        records, self._page = self._page[:cut], self._page[cut:]
        return records

    def _read_page(self) -> list[Record]:
        entries = self._log.entries
        self._log.reads += 1
        page = [
            Record(name, {"id": name, "key": key, "position": position}, at, len(name) + 100, key, position)
            for name, key, position, at in entries[self._next :]
        ]
        page = page[: self._whole(page, self._log.page)]
        self._next += len(page)
        return page

    @property
    def behind(self) -> float:
        """0 when all is read that was put."""
        return float(bool(self._page) or self._next < len(self._log.entries))

    @staticmethod
    def _whole(records: Sequence[Record], cut: int) -> int:
        """Where to cut at *cut* or later, so that no position is torn."""
        while 0 < cut < len(records) and records[cut].token == records[cut - 1].token:
            cut += 1
        return cut

    async def close(self) -> None:
        self.closed = True


class MemoryCursor:
    """Writes a `MemoryLog`'s position, in the name of one epoch, until its `deadline`."""

    def __init__(self, log: MemoryLog, epoch: int) -> None:
        self._log, self._epoch = log, epoch
        self.deadline = math.inf
        self.doubt: asyncio.Event | None = None

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def position(self) -> Position:
        return self._log.position or ""

    async def leave(self) -> float:
        """Nobody says that the log was seized: the next write finds out."""
        await asyncio.Event().wait()
        return 0.0

    async def commit(self, position: Position, memo: bytes | Unchanged | None = KEEP) -> None:
        await self._reach()
        if position != self._log.position:
            self._log.crashes, self._log.mark = 0, None
        self._log.position = position
        if not isinstance(memo, Unchanged):
            self._log.memo = memo
        self._log.commits.append((self._epoch, position))

    async def mark(self, mark: Mark) -> None:
        await self._reach()
        self._log.mark = mark

    async def _reach(self) -> None:
        await asyncio.sleep(self._log.delay)  # a cancellation may fall here
        self._check()
        if self._log.away or self._log.refuse_commits > 0:
            self._log.refuse_commits = max(self._log.refuse_commits - 1, 0)
            raise OSError("the store cannot be reached")

    async def close(self, *, finished: bool) -> None:
        self._check()
        self._log.held = False
        self._log.finished = finished

    def drop(self) -> None:
        pass

    def _check(self) -> None:
        if self._log.epoch != self._epoch:
            raise LaneLost(f"epoch {self._epoch} was followed by {self._log.epoch}")
