"""One bucket of schedules while its lease is ours: what comes due is written to the queue, with how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from headrace.calls import Call
from headrace.ending import cancelled
from headrace.errors import LedgerError
from headrace.holding import Holding
from headrace.ledger import Ledger
from headrace.log import Closed
from headrace.model import Condition, Held, LaneLost
from headrace.observe import Log
from headrace.retry import again, capped
from headrace_connectors.schedule import remembered, unsettled
from headrace_connectors.schedule.alarms import Alarms, Bell
from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.due import decide, delay
from headrace_connectors.schedule.instants import call_id, utc
from headrace_connectors.schedule.missed import Missed
from headrace_connectors.schedule.occasion import packed
from headrace_connectors.schedule.remembered import Remembered, recalled
from headrace_connectors.schedule.storetime import StoreTime

T = TypeVar("T")

LOOK: Final = 5.0
"""Seconds between two looks at what has ended of what was put; what ended since runs again if the store is lost."""

ENDS: Final = ""
"""What the bell is rung for when that is to be looked for: no schedule has this name."""

MOST: Final = 20_000
"""Calls in one write; a schedule's alone are no more than its `max_catchup`."""

LETTING_GO: Final = 10.0
"""Seconds that letting go may take; what is not let go of by then expires."""


class Bucket:
    """`run` until the lease is gone; `fired` is told when something was put."""

    held = Held()
    behind = None

    def __init__(
        self,
        name: str,
        definitions: Sequence[Definition],
        holding: Holding,
        *,
        ledger: Ledger,
        time: StoreTime,
        alarms: Alarms,
        fired: Callable[[], None],
        closed: Closed,
        log: Log,
    ) -> None:
        self.name = name
        self._definitions = {one.name: one for one in definitions}
        self._holding, self._ledger, self._time, self._alarms = holding, ledger, time, alarms
        self._fired, self._closed_by, self._log = fired, closed, log
        self._known: dict[str, Remembered] = remembered.read(holding.position)
        self._bell = Bell()
        self._to_look = False
        self._leaving: asyncio.Future[float] = asyncio.Future()
        self._closed = False
        self.condition = Condition("polling")

    async def run(self) -> None:
        """Until another is to have it, or it is lost; then it is let go."""
        self._leaving = asyncio.ensure_future(self._holding.leave())
        self._leaving.add_done_callback(lambda _: self._bell.ring())
        self._bell.ring(*self._definitions, ENDS)
        try:
            await self._put_again()
            while not self._leaving.done():
                await self._step(await self._bell.rung())
        except LaneLost:
            pass
        finally:
            await cancelled(self._leaving)
            await self.close()

    async def _step(self, names: Collection[str]) -> None:
        """Decide on what may be due, and write it."""
        if due := [self._definitions[name] for name in sorted(names) if name != ENDS]:
            await self._decide(due, await self._until_done(self._time.now))
        if ENDS in names:
            await self._forget_what_ended()

    async def _until_done(self, ask: Callable[[], Awaitable[T]]) -> T:
        """However long the store is away, while the lease is ours."""
        async for attempt in again(self._log, "schedules.not_written", wait=capped(1.0), lane=self.name):
            with attempt:
                if self._leaving.done() and self._leaving.result() <= 0:
                    raise LaneLost(self.name)
                return await ask()
        raise AssertionError("again() ends by returning or by cancellation")

    async def _decide(self, due: Sequence[Definition], now: datetime) -> None:
        careful = [one.name for one in due if one.settings.overlap != "allow"]
        unfinished = await self._unfinished(careful) if careful else {}
        since = await self._until_done(self._time.first)
        decided = {}
        for one in due:
            known_of = recalled(self._known, one, now, since)
            decided[one.name] = decide(one, known_of, now, unfinished.get(one.name, 0))
            await asyncio.sleep(0)  # leases are renewed meanwhile, and handlers go on
        known = {**self._known, **{name: one.remembered for name, one in decided.items()}}
        calls = [_call(one, at) for one in due for at in decided[one.name].fire]
        if len(calls) > MOST and len(due) > 1:
            for one in due:
                await self._decide([one], now)
            return
        await self._write(known, calls)
        for name, what in decided.items():
            self._alarms.set(self._bell, name, what.next)
            self._tell(name, what.missed)

    async def _write(self, known: dict[str, Remembered], calls: Sequence[Call] = ()) -> None:
        if known != self._known:  # again with the same words, where the answer was lost: what was put is not put twice
            await self._until_done(partial(self._holding.follow, remembered.write(known), calls))
        self._known = known
        if calls:
            self._fired()
            await self._look_later()

    async def _unfinished(self, names: Sequence[str]) -> Mapping[str, int]:
        return await self._until_done(partial(self._ledger.unfinished, self._holding.lease.mapping, names))

    async def _look_later(self) -> None:
        """See in a while which of what was put has ended; however much is put meanwhile."""
        if not self._to_look and unsettled.waits(self._known):
            self._to_look = True
            now = await self._until_done(self._time.now)
            self._alarms.set(self._bell, ENDS, now + timedelta(seconds=LOOK))

    async def _forget_what_ended(self) -> None:
        """What is kept of the queue is what could be put again, if the store lost it: nothing that has ended."""
        if unsettled.waits(self._known):
            await self._write(unsettled.without_ended(self._known, *await self._queue(self._known)))
        self._to_look = False
        await self._look_later()

    async def _put_again(self) -> None:
        """Mend a queue that was lost with the store, while the bucket's position was written back."""
        lost = {name: one for name, one in self._known.items() if one.queue_lost and name in self._definitions}
        if not lost:
            return
        there, counts = await self._queue(lost)
        mended = {name: unsettled.mend(name, one, there, counts.get(name, 0)) for name, one in lost.items()}
        calls = [_call(self._definitions[name], at) for name, one in mended.items() for at in one.again]
        await self._write({**self._known, **{name: one.remembered for name, one in mended.items()}}, calls)
        for name, one in mended.items():
            if one.again:
                self._log.warning("schedule.put_again", schedule=name, times=[utc(at) for at in one.again])
            self._tell(name, one.missed)

    async def _queue(self, known: Mapping[str, Remembered]) -> tuple[frozenset[str], Mapping[str, int]]:
        """What it has of what is kept, and how much of each schedule of which not all is kept."""
        ask = partial(self._ledger.unsettled, self._holding.lease.mapping, unsettled.ids(known))
        older = [name for name, one in known.items() if one.older]
        return await self._until_done(ask), await self._unfinished(older) if older else {}

    def _tell(self, name: str, missed: Sequence[Missed]) -> None:
        for run in missed:
            first, last = utc(run.first), utc(run.last)
            self._log.warning("schedule.missed", schedule=name, first=first, last=last, count=run.count, by=run.reason)

    async def close(self) -> None:
        """Let it go; whoever takes it next goes on behind what was written."""
        if self._closed:
            return
        self._closed = True
        self._alarms.drop(self._bell)
        try:
            with suppress(LaneLost, LedgerError, TimeoutError):
                async with asyncio.timeout(LETTING_GO):
                    await self._holding.close(finished=False)
        finally:
            self._holding.drop()
            self._closed_by(False)


def _call(definition: Definition, at: datetime) -> Call:
    """Named by schedule and planned instant, so that none is there twice."""
    return Call(
        id=call_id(definition.name, at),
        event=packed(definition, at),
        due=at.timestamp() + delay(definition, at),
        group=definition.name,
        alone=definition.settings.overlap == "buffer_one",
    )
