"""The calls that a lane has taken: held while they are here, and in doubt while their store may be another."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from headrace.calls import Calls, Taken
from headrace.clock import Clock
from headrace.model import Record
from headrace.observe import Log
from headrace.renewing import RENEWALS, deadline, turn
from headrace.retry import again, capped


class Takings:
    """Each has its record, which may be begun until the store lets others take it.

    `doubt` is `Lane.doubt`. Nothing is taken unless *settled*: all who have taken something have had time to find out
    that the store is another.
    """

    def __init__(
        self,
        lane: str,
        queue: Callable[[], Awaitable[Calls]],
        *,
        ttl: float,
        settled: Callable[[], bool],
        clock: Clock,
        log: Log,
    ) -> None:
        self.doubt: asyncio.Event | None = None
        self._lane, self._queue, self._ttl, self._settled = lane, queue, ttl, settled
        self._clock, self._log = clock, log
        self._records: dict[Taken, Record] = {}
        self._hurry = asyncio.Event()
        self._stores = 0  # how often it became another

    def __len__(self) -> int:
        return len(self._records)

    def suspect(self) -> None:
        """The store may be another: what it knows of what is taken here it has to say itself."""
        self._stores += 1
        if self.doubt is None:
            self.doubt = asyncio.Event()
        self._hurry.set()

    async def take(self, mapping: str, owner: str, limit: int) -> dict[Taken, float]:
        """What is due, as `Calls.take`, and until when each may be begun."""
        if not self._settled():
            return {}
        queue, sent, stores = await self._queue(), self._clock.boot(), self._stores
        taken = await queue.take(mapping, owner, limit, self._ttl)
        if stores != self._stores:
            self.suspect()
        return dict.fromkeys(taken, deadline(sent=sent, ttl=self._ttl))

    def add(self, taken: Taken, record: Record) -> None:
        self._records[taken] = record

    def forget(self, taken: Taken) -> None:
        self._records.pop(taken, None)

    async def hold(self) -> None:
        """Prolong everything that is here, until cancelled."""
        while True:
            await turn(self._ttl, self._hurry)
            wait = capped(self._ttl / RENEWALS)
            async for attempt in again(self._log, "calls.not_held", wait=wait, waking=self._hurry, lane=self._lane):
                with attempt:
                    self._hurry.clear()
                    await self._hold_once()

    async def _hold_once(self) -> None:
        sent, held, stores = self._clock.boot(), list(self._records), self._stores
        if held:
            async with asyncio.timeout(self._ttl / 2):
                lost = await (await self._queue()).hold(held, self._ttl)
            for taken in held:
                if record := self._records.get(taken):
                    record.until = -math.inf if taken in lost else deadline(sent=sent, ttl=self._ttl)
        if stores == self._stores and self.doubt is not None:
            self.doubt.set()
            self.doubt = None
