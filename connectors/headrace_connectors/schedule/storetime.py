"""The store's own time, which decides when a schedule is due: not asked for more often than it is needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from headrace.calls import Calls
from headrace.clock import Clock

GOOD_FOR: Final = 5.0
"""Seconds that an answer is good for; between two the boot clock tells, which no step of the machine's time changes."""


class StoreTime:
    """Two machines whose clocks differ see the same time, as far as the way to the store takes the same for both."""

    def __init__(self, calls: Callable[[], Awaitable[Calls]], clock: Clock) -> None:
        self._calls, self._clock = calls, clock
        self._ahead, self._asked = 0.0, float("-inf")
        self._first: datetime | None = None

    async def now(self) -> datetime:
        """By the store's clock.

        Raises:
            LedgerError: the store cannot be asked.
        """
        boot = self._clock.boot()
        if boot - self._asked > GOOD_FOR:
            told = await (await self._calls()).now()
            boot = self._clock.boot()
            self._ahead, self._asked = told - boot, boot
        now = datetime.fromtimestamp(boot + self._ahead, UTC)
        self._first = self._first or now
        return now

    async def first(self) -> datetime:
        """What it was when this process looked first.

        Raises:
            LedgerError: as `now`.
        """
        return self._first or await self.now()
