"""Holds on keys that no batch waits for any more: prolonged while a call still runs with them, and then let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from headrace.clock import Clock
from headrace.ending import beside
from headrace.observe import Log
from headrace.verdicts import State, Verdicts

Opened: TypeAlias = Callable[[], Awaitable[Verdicts]]
"""Gives the store, opened once. Raises LedgerError."""

LOOK_EVERY = 0.25
"""Seconds between two looks at whether a call still runs."""


@dataclass(slots=True, eq=False)
class Left:
    """Keys whose batch is over. `until`: when, in seconds of `Clock.boot`, they are to be prolonged."""

    keys: Sequence[str]
    holder: str
    runs: Callable[[], bool]
    until: float = 0.0


class Holds:
    """Of one mapping; they outlive its lanes. `seconds` is what a hold is prolonged by."""

    def __init__(self, mapping: str, verdicts: Opened, seconds: float, clock: Clock, log: Log) -> None:
        self._mapping, self._verdicts, self._seconds = mapping, verdicts, seconds
        self._clock, self._log = clock, log
        self._left: list[Left] = []
        self._news = asyncio.Event()
        self._told = False

    def leave(self, keys: Sequence[str], holder: str, runs: Callable[[], bool] = lambda: False) -> Left:
        """Hold *keys* on while *runs* says so, and let go of them then."""
        left = Left(keys, holder, runs)
        self._left.append(left)
        self._news.set()
        return left

    def take_back(self, left: Left) -> None:
        """Whoever left them sees to them again: they are neither prolonged nor let go of here."""
        if left in self._left:
            self._left.remove(left)

    def wake(self) -> None:
        """A call may have ended."""
        self._news.set()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look after them beside the block, and let go at its end of what no call runs with; the rest expires."""
        async with beside(self._look_after(), self._try_turn):
            yield

    async def _look_after(self) -> None:
        while True:
            self._news.clear()
            await self._try_turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY if self._left else None):
                    await self._news.wait()
            if self._told:  # the store is away: asking at every piece of news would be asking without end
                await asyncio.sleep(LOOK_EVERY)

    async def _try_turn(self) -> None:
        """A store that is away is asked again: until then what it holds expires by itself, in its own time."""
        try:
            await self._turn()
        except Exception as error:  # noqa: BLE001 - no fault of the store's may end what looks after the others
            if not self._told:
                self._log.warning("idempotency.not_prolonged", error=f"{type(error).__name__}: {error}")
            self._told = True
        else:
            self._told = False

    async def _turn(self) -> None:
        for one in list(self._left):
            if not one.runs():
                verdicts = await self._verdicts()
                await verdicts.let_go(self._mapping, one.keys, one.holder)
                self.take_back(one)
            elif self._clock.boot() >= one.until:
                await self._prolong(one)

    async def _prolong(self, one: Left) -> None:
        verdicts, sent = await self._verdicts(), self._clock.boot()
        found = await verdicts.begin(self._mapping, one.keys, one.holder, self._seconds)
        one.until = sent + self._seconds / 3
        lost = [key for key, standing in found.items() if standing.state is not State.BEGUN]
        if lost and one in self._left:
            self._log.error("idempotency.overtaken", records=len(lost), why="a call ran on longer than it was held for")
            one.keys = [key for key in one.keys if key not in lost]
