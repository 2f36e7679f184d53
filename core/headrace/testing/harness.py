"""What the conformance suite needs of a connector: a source to open, to fill and to disturb."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol

from headrace.model import Lane, LaneLost, Record
from headrace.testing.queue import MemoryQueue
from headrace.testing.queue_lane import MemoryQueueLane
from headrace.testing.stream import MemoryLog


class Harness(Protocol):
    """One source under test, empty at first; lanes over it are opened one after another.

    Attributes:
        promptly: seconds in which what lies ready is delivered; shorter than the source's own redelivery takes.
        patience: seconds in which everything has come that ever will, redelivery included.
        slack: seconds that a source may bring a record too early (one that keeps time in whole seconds does).
    """

    promptly: float
    patience: float
    slack: float

    def open(self) -> AbstractAsyncContextManager[Lane]:
        """A lane over the source, with its `tend` running; closed at the end, if the test has not done so."""
        ...

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        """Append records with these names."""
        ...

    def name(self, record: Record) -> str:
        """The name under which *record* was put."""
        ...

    async def finish(self) -> None:
        """Nothing more will be put; only where the source `Ends`."""
        ...

    async def seize(self) -> None:
        """Another owner takes the lane that is open; only where it `Fences`."""
        ...


@asynccontextmanager
async def tended(lane: Lane) -> AsyncIterator[Lane]:
    """Run a lane's `tend` beside the block, and close it afterwards, as a pipeline does."""
    tending = asyncio.ensure_future(lane.tend())
    try:
        yield lane
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError, LaneLost):
            await tending
        with suppress(LaneLost):
            await lane.close()


class QueueHarness:
    """The memory queue under the suite; `ahead` reads tens whatever was asked for."""

    promptly, patience, slack = 5.0, 100.0, 0.0

    def __init__(self, *, ahead: bool = False) -> None:
        self._ahead = ahead
        self.queue = MemoryQueue(visibility=30.0)
        self._lane = MemoryQueueLane(self.queue)

    def open(self) -> AbstractAsyncContextManager[Lane]:
        self._lane = MemoryQueueLane(self.queue, ahead=self._ahead)
        return tended(self._lane)

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        self.queue.send(names, keys)

    def name(self, record: Record) -> str:
        return record.id

    async def finish(self) -> None:
        raise NotImplementedError("a queue has no end")

    async def seize(self) -> None:
        self._lane.lose()


class LogHarness:
    """The memory log under the suite."""

    promptly, patience, slack = 5.0, 100.0, 0.0

    def __init__(self) -> None:
        self.log = MemoryLog(page=4)

    def open(self) -> AbstractAsyncContextManager[Lane]:
        return tended(self.log.lane())

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        self.log.put(names, keys)

    def name(self, record: Record) -> str:
        return record.id

    async def finish(self) -> None:
        self.log.seal()

    async def seize(self) -> None:
        self.log.seize()
