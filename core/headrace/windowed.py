"""A strand over tumbling windows: no batch mixes two of them, and each ends with an invocation of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from headrace import windows
from headrace.batcher import Batcher
from headrace.delivery import Work
from headrace.model import Record
from headrace.strand import Strand
from headrace.windows import Tumbling, Window

LOOK_AGAIN = 1.0
"""Seconds between two looks at an idle window, at least."""


class WindowedStrand(Strand):
    """One batch at a time, each with the state that the one before it returned.

    A window closes when a record of a later one shows up, when its shard ends, or when the shard is idle
    (`windows.is_over`). Nothing of the next is handled before its last invocation has succeeded.
    """

    def __init__(self, work: Work, tumbling: Tumbling) -> None:
        super().__init__(work)
        self._tumbling = tumbling
        self._policy = replace(work.plan.batch, whole=True)
        self._windows: deque[tuple[Window, Batcher]] = deque()
        if tumbling.open is not None:
            self._windows.append((tumbling.open.window, Batcher(self._policy)))
        self._came = work.clock.boot()

    @property
    def waiting(self) -> int:
        return sum(len(batcher) for _, batcher in self._windows)

    def put(self, records: Sequence[Record]) -> None:
        self._came = self._work.clock.boot()
        last = self._windows[-1][0] if self._windows else None
        for window, some in windows.share(records, last, self._tumbling.seconds):
            if not self._windows or self._windows[-1][0] != window:
                self._windows.append((window, Batcher(self._policy)))
            self._windows[-1][1].add(some, self._came)
        self._news.set()

    async def run(self) -> None:
        """As `Strand.run`. A window that is left open at a stop is closed by whoever has the shard next."""
        while await self._ready():
            window, batcher = self._windows[0]
            if batcher:
                self._tumbling.enter(window)
                await self._work.carry(batcher.take(), self.wake)
            else:
                self._windows.popleft()  # first: what comes meanwhile is too late for it
                await self._work.conclude()
        await self._work.give_back([record for _, batcher in self._windows for record in batcher.clear()], 0.0)

    async def _ready(self) -> bool:
        """Wait for a batch of the first window, or for its end; false when neither will come."""
        while not self._work.stopping.is_set():
            self._news.clear()
            if self._windows and self._is_time():
                return True
            if self._ended and not self._windows:
                return False
            await self._change()
        return False

    def _is_time(self) -> bool:
        window, batcher = self._windows[0]
        if len(self._windows) > 1 or self._ended or batcher.full:
            return True
        if batcher:
            return batcher.due is not None and batcher.due <= self._work.clock.boot()
        lane, clock = self._work.lane, self._work.clock
        at_tip = lane.behind == 0 and lane.condition.ready
        return windows.is_over(window, now=clock.wall(), quiet=clock.boot() - self._came, at_tip=at_tip)

    async def _change(self) -> None:
        """Until a record comes, the batch is due, an idle window may be over, or the lane is to stop."""
        wait = None
        if self._windows:
            (window, batcher), now = self._windows[0], self._work.clock.boot()
            if batcher:
                wait = (batcher.due or now) - now
            else:
                left = max(window.end - self._work.clock.wall(), windows.QUIET - (now - self._came))
                wait = max(left, LOOK_AGAIN)
        try:
            async with asyncio.timeout(wait):
                await self._news.wait()
        except TimeoutError:
            pass
