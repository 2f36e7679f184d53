"""One bucket of schedules while its lease is ours: what comes due is written to the queue, with how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from headrace.calls import Call
from headrace.ending import cancelled
from headrace.errors import LedgerError
from headrace.leases import Holding
from headrace.ledger import Ledger
from headrace.log import Closed
from headrace.model import Condition, Held, LaneLost
from headrace.observe import Log
from headrace.retry import again, capped
from headrace_connectors.schedule import remembered
from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.due import Decided, decide, delay
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.occasion import packed
from headrace_connectors.schedule.remembered import Remembered, recalled
from headrace_connectors.schedule.storetime import StoreTime

T = TypeVar("T")

LONGEST: Final = 30.0
"""Seconds between two looks at the store's time, though nothing is due: it may have been set."""

SOONEST: Final = 0.005

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
        fired: Callable[[], None],
        closed: Closed,
        log: Log,
    ) -> None:
        self.name = name
        self._definitions, self._holding, self._ledger, self._time = definitions, holding, ledger, time
        self._fired, self._closed_by, self._log = fired, closed, log
        self._known: dict[str, Remembered] = remembered.read(holding.position)
        self._next: dict[str, datetime | None] = {}
        self._leaving: asyncio.Future[float] = asyncio.Future()
        self._closed = False
        self.condition = Condition("polling")

    async def run(self) -> None:
        """Until another is to have it, or it is lost; then it is let go."""
        self._leaving = asyncio.ensure_future(self._holding.leave())
        try:
            while not self._leaving.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(await self._step()):
                        await asyncio.shield(self._leaving)
        except LaneLost:
            pass
        finally:
            await cancelled(self._leaving)
            await self.close()

    async def _step(self) -> float:
        """Decide on what is due, and write it; seconds until there is more to decide on."""
        now = await self._until_done(self._time.now)
        if due := [one for one in self._definitions if self._is_due(one, now)]:
            await self._decide(due, now)
            now = await self._until_done(self._time.now)
        coming = [at for at in self._next.values() if at is not None]
        return min(max((min(coming) - now).total_seconds(), SOONEST), LONGEST) if coming else LONGEST

    async def _until_done(self, ask: Callable[[], Awaitable[T]]) -> T:
        """However long the store is away, while the lease is ours."""
        async for attempt in again(self._log, "schedules.not_written", wait=capped(1.0), lane=self.name):
            with attempt:
                if self._leaving.done() and self._leaving.result() <= 0:
                    raise LaneLost(self.name)
                return await ask()
        raise AssertionError("again() ends by returning or by cancellation")

    def _is_due(self, one: Definition, now: datetime) -> bool:
        if one.name not in self._next:
            return True
        at = self._next[one.name]
        return at is not None and at <= now

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
        calls = [call for one in due for call in _calls(one, decided[one.name])]
        if len(calls) > MOST and len(due) > 1:
            for one in due:
                await self._decide([one], now)
            return
        if known != self._known:  # again with the same words, where the answer was lost: what was put is not put twice
            await self._until_done(partial(self._holding.commit, remembered.write(known), calls=calls))
        self._known = known
        self._next |= {name: one.next for name, one in decided.items()}
        self._tell(decided)
        if calls:
            self._fired()

    async def _unfinished(self, names: Sequence[str]) -> Mapping[str, int]:
        return await self._until_done(partial(self._ledger.unfinished, self._holding.lease.mapping, names))

    def _tell(self, decided: Mapping[str, Decided]) -> None:
        for name, one in decided.items():
            for run in one.missed:
                first, last = utc(run.first), utc(run.last)
                self._log.warning(
                    "schedule.missed", schedule=name, first=first, last=last, count=run.count, by=run.reason
                )

    async def close(self) -> None:
        """Let it go; whoever takes it next goes on behind what was written."""
        if self._closed:
            return
        self._closed = True
        try:
            with suppress(LaneLost, LedgerError, TimeoutError):
                async with asyncio.timeout(LETTING_GO):
                    await self._holding.close(finished=False)
        finally:
            self._holding.drop()
            self._closed_by(False)


def _calls(definition: Definition, decided: Decided) -> list[Call]:
    """Named by schedule and planned instant, so that none is there twice."""
    return [
        Call(
            id=f"{definition.name}@{at.isoformat()}",
            event=packed(definition, at),
            due=at.timestamp() + delay(definition, at),
            group=definition.name,
            alone=definition.settings.overlap == "buffer_one",
        )
        for at in decided.fire
    ]
