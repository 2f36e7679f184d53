"""What a thread tells the event loop: in order, with one wake-up for all that has come until the loop listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Teller:
    """`tell` is for one other thread at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._untold: deque[Callable[[], None]] = deque()
        self._called = False

    def tell(self, what: Callable[[], None]) -> None:
        self._untold.append(what)
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._listen)

    def _listen(self) -> None:
        self._called = False  # first: what comes from now on calls again
        while self._untold:
            self._loop.call_soon(self._untold.popleft())
