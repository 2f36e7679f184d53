"""A partition's lane as a queue's lane: nothing that fails holds anything else up, unless it is of one group."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from headrace.clock import Clock
from headrace.ending import cancelled
from headrace.errors import DestinationUnavailable
from headrace.log import LogLane
from headrace.model import KEEP, Care, Condition, Held, LaneLost, Order, Record, Traits, Unchanged
from headrace_connectors.kafka.queue.again import counted
from headrace_connectors.kafka.queue.returns import Returns
from headrace_connectors.kafka.queue.shelf import Shelf

TRAITS: Final = Traits(Order.NONE, redelivers=True)
FIFO_TRAITS: Final = Traits(Order.KEY, redelivers=True)

LAST_WRITES: Final = 5.0
"""Seconds that the last writes to the retry topic may take at the end; what is not taken is read again."""


class QueueLane:
    """Wraps the log's lane, which keeps the position.

    With *returns* (a standard queue) a record that fails goes to the retry topic and is settled here. Without (FIFO) it
    waits here, and the position with it: only so its group waits for it, too. *visibility* is how many seconds pass
    before it comes again where nobody says when.
    """

    def __init__(
        self, lane: LogLane, shelf: Shelf, returns: Returns | None, *, visibility: float, clock: Clock
    ) -> None:
        self.name = lane.name
        self.traits = FIFO_TRAITS if returns is None else TRAITS
        self._lane, self._shelf, self._returns = lane, shelf, returns
        self._visibility, self._clock = visibility, clock
        self._out: dict[int, Record] = {}
        self._nbytes = 0
        self._change = asyncio.Event()

    @property
    def held(self) -> Held:
        return Held(len(self._out), self._nbytes)

    @property
    def condition(self) -> Condition:
        return self._lane.condition

    @property
    def epoch(self) -> int:
        return self._lane.epoch

    @property
    def behind(self) -> float | None:
        return self._lane.behind

    @property
    def deadline(self) -> float:
        return self._lane.deadline

    @property
    def doubt(self) -> asyncio.Event | None:
        return self._lane.doubt

    @property
    def care(self) -> Care | None:
        return self._lane.care

    async def tend(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lane.tend())
                if self._returns is not None:
                    group.create_task(self._returns.tend())
        except ExceptionGroup as failed:
            if failed.subgroup(LaneLost) is not None:
                raise LaneLost(self.name) from failed
            raise

    async def fetch(self, limit: int) -> Sequence[Record]:
        while True:
            now = self._clock.wall()
            if found := self._shelf.take(limit, now):
                self._out |= {record.number: record for record in found}
                self._nbytes += sum([record.size for record in found])
                return found
            await self._until_more(limit, self._shelf.next_due(now))

    async def _until_more(self, limit: int, seconds: float) -> None:
        """Until something was read, became due or was let go."""
        self._change.clear()
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(self._change.wait())]
        if not self._shelf.full:
            reading = asyncio.create_task(self._lane.fetch(limit))
            reading.add_done_callback(self._read)
            tasks.append(reading)
        try:
            timeout = None if math.isinf(seconds) else seconds
            done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(*tasks)
        for task in done:
            task.result()  # LaneEnded, LaneLost

    def _read(self, reading: asyncio.Task[Sequence[Record]]) -> None:
        """What was read is on the shelf, whoever was cancelled meanwhile."""
        if not reading.cancelled() and reading.exception() is None:
            for record in reading.result():
                self._shelf.put(record, getattr(record, "due", 0.0))
            self._change.set()

    async def ack(self, records: Sequence[Record], memo: bytes | Unchanged | None = KEEP) -> None:  # noqa: ARG002
        self._let_go(records)
        await self._lane.ack(records)

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:
        await self._lane.nack(records, delay)  # it keeps them; of a lane that is lost nothing is written anywhere
        due = self._clock.wall() + (self._visibility if delay is None else delay)
        if self._returns is not None:
            self._returns.put(records, due)
        else:
            for record in records:
                counted(record, record.attempt + 1)
                self._shelf.put(record, due)
        self._let_go(records)

    def _let_go(self, records: Sequence[Record]) -> None:
        self._shelf.done(records)
        for record in records:
            del self._out[record.number]
        self._nbytes -= sum([record.size for record in records])
        self._change.set()

    async def leave(self) -> float:
        return await self._lane.leave()

    async def halt(self) -> int:
        """What waits here was never handed out: the next owner reads it again."""
        return await self._lane.halt()

    async def close(self) -> None:
        """What is out still comes again in its time, as from a queue; of a lane that is lost nothing is written."""
        try:
            with suppress(TimeoutError, DestinationUnavailable, LaneLost):
                async with asyncio.timeout(LAST_WRITES):
                    await self._return_what_is_out()
        finally:
            await self._lane.close()

    async def _return_what_is_out(self) -> None:
        if self._returns is not None:
            await self._lane.ack([])  # is it ours?
            await self.nack(list(self._out.values()), None)
            await self._returns.flush()
