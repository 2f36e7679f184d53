"""Who is at a handler in this process: a record's last chance is given it while nobody else is.

A process that ends takes everything with it that was at a handler. So before a record is given up for that, it has been
alone there: not in its lane only, as a careful one has it, but in the whole process. A function's own process is
another, and what was at work in one that died is alone in the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary


class UnderWay:
    """All attempts that are. A call that timed out and runs on in its thread does not count: it may run for ever."""

    def __init__(self) -> None:
        self._count = self._waiting = 0
        self._one, self._none, self._free = asyncio.Lock(), asyncio.Event(), asyncio.Event()
        self._none.set()
        self._free.set()

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Others are under way; waits for those that are, or want to be, alone."""
        while self._waiting:
            await self._free.wait()
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """No other is under way, and none begins."""
        self._waiting += 1
        self._free.clear()
        try:
            async with self._one:
                await self._none.wait()
                yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._free.set()


_BY_LOOP: WeakKeyDictionary[asyncio.AbstractEventLoop, UnderWay] = WeakKeyDictionary()


def of_this_process() -> UnderWay:
    """The same for every mapping and poller of one event loop, of which a process has one."""
    return _BY_LOOP.setdefault(asyncio.get_running_loop(), UnderWay())
