"""Records that keep their order: gather them into batches, and keep places at the handler filled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headrace.batcher import Batcher
from headrace.delivery import Work
from headrace.model import Order, Record
from headrace.pages import Pages


class Strand:
    """Gathers batches and hands them over: in a sequence one at a time, else as many as there are places.

    In key order nothing is gathered: each page that is put is a batch.

    A place belongs to a batch until its call has really ended, a thread that outlives its time-out included.
    """

    def __init__(self, work: Work) -> None:
        order = work.lane.traits.order
        self._work = work
        self._serial = order is Order.SEQUENCE
        self._batcher = Pages() if order is Order.KEY else Batcher(work.plan.batch)
        self._out = 0
        self._news = asyncio.Event()
        self._ended = False

    @property
    def waiting(self) -> int:
        """Records that wait for their batch."""
        return len(self._batcher)

    @property
    def free(self) -> int:
        """Places that no batch has."""
        places = 1 if self._serial else self._work.slots.places
        return max(places - self._out, 0)

    @property
    def room(self) -> int:
        """Records that may come, so that each has a place at the handler."""
        return self._batcher.room(self.free, self._work.plan.batch.size)

    def put(self, records: Sequence[Record]) -> None:
        self._batcher.add(records, self._work.clock.boot())
        self._news.set()

    def end(self) -> None:
        """No more will be put."""
        self._ended = True
        self._news.set()

    async def run(self) -> None:
        """Deliver until the strand has ended and nothing waits; when the lane is to stop, give back what waits."""
        async with asyncio.TaskGroup() as group:
            while await self._ready():
                self._out += 1
                group.create_task(self._occupy(self._batcher.take()))
            await self._work.give_back(self._batcher.clear(), 0.0)

    async def _ready(self) -> bool:
        """Wait for a batch and a place; false when there will be none."""
        while not self._work.stopping.is_set():
            self._news.clear()
            if self.free and (self._batcher.full or (self._ended and self.waiting) or self._is_due()):
                return True
            if self._ended and not self.waiting:
                return False
            await self._next_change()
        return False

    def _is_due(self) -> bool:
        due = self._batcher.due
        return due is not None and due <= self._work.clock.boot()

    async def _next_change(self) -> None:
        """Until a record comes, a place gets free, the window closes or the lane is to stop."""
        due = self._batcher.due
        if due is None or not self.free:
            await self._news.wait()
            return
        try:
            async with asyncio.timeout(due - self._work.clock.boot()):
                await self._news.wait()
        except TimeoutError:
            pass

    def wake(self) -> None:
        """A place may have become free, or the lane is to stop."""
        self._news.set()
        self._work.settled.set()

    async def _occupy(self, records: Sequence[Record]) -> None:
        try:
            await self._work.carry(records, self.wake)
        finally:
            self._out -= 1
            self.wake()
