"""One heap and one timer for all schedules of a process: a bucket is woken when one of its own is due."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, TypeAlias

from headrace.observe import Log
from headrace.retry import again, capped
from headrace_connectors.schedule.storetime import StoreTime

LONGEST: Final = 30.0
"""Seconds between two looks at the store's time, though nothing is due: it may have been set."""

SOONEST: Final = 0.005

ROOM: Final = 64
"""Entries that may lie in the heap though nobody waits for them any more, beside as many as there are others."""


class Bell:
    """What a bucket waits for: `rung` tells what it is rung for, which may be nothing that its owner did not know."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._names: set[str] = set()

    def ring(self, *names: str) -> None:
        self._names.update(names)
        self._event.set()

    async def rung(self) -> frozenset[str]:
        """The names that it was rung for since the last time, once it was rung."""
        await self._event.wait()
        self._event.clear()
        names, self._names = frozenset(self._names), set()
        return names


_Entry: TypeAlias = tuple[datetime, int, Bell, str]
"""When, a number by which no two are equal, and who is woken for what."""


class Alarms:
    """`run` rings each bell for each name when that is due, by the store's time, until cancelled.

    An entry of the heap counts while its time is the one that was set last; the others are passed over when they come
    to the head, or are thrown out once they are more than half.
    """

    def __init__(self, time: StoreTime, log: Log) -> None:
        self._time, self._log = time, log
        self._heap: list[_Entry] = []
        self._set: dict[Bell, dict[str, datetime]] = {}
        self._numbers = count()
        self._sooner = asyncio.Event()

    def set(self, bell: Bell, name: str, at: datetime | None) -> None:
        """Ring *bell* for *name* at *at*, and no more at what was said before; None: not at all."""
        ours = self._set.setdefault(bell, {})
        if at is None:
            ours.pop(name, None)
        elif ours.get(name) != at:
            ours[name] = at
            self._tidy()
            heappush(self._heap, (at, next(self._numbers), bell, name))
            if self._heap[0][0] == at:
                self._sooner.set()

    def drop(self, bell: Bell) -> None:
        """Ring it no more."""
        self._set.pop(bell, None)

    async def run(self) -> None:
        while True:
            self._sooner.clear()
            wait = self._ring(await self._now())
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._sooner.wait()

    def _ring(self, now: datetime) -> float:
        """Ring for what is due; seconds until the next is."""
        while self._heap:
            entry = at, _, bell, name = self._heap[0]
            if self._counts(entry):
                if at > now:
                    return min(max((at - now).total_seconds(), SOONEST), LONGEST)
                del self._set[bell][name]
                bell.ring(name)
            heappop(self._heap)
        return LONGEST

    async def _now(self) -> datetime:
        """However long the store is away: nothing could be written meanwhile."""
        async for attempt in again(self._log, "schedules.no_time", wait=capped(1.0)):
            with attempt:
                return await self._time.now()
        raise AssertionError("again() ends by returning or by cancellation")

    def _counts(self, entry: _Entry) -> bool:
        at, _, bell, name = entry
        return self._set.get(bell, {}).get(name) == at

    def _tidy(self) -> None:
        if len(self._heap) > 2 * sum(map(len, self._set.values())) + ROOM:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapify(self._heap)
