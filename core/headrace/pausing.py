"""Whether a mapping rests because somebody asked for that: known to this process alone, and gone with it."""

from __future__ import annotations

import asyncio
from typing import Final

from headrace.clock import Clock
from headrace.model import Condition

FINISHING: Final = 900.0
"""Seconds for which a pause waits for what is at a handler: Lambda's longest call."""


class Pause:
    """Set `begun` while it is asked for, `over` while it is not; `finishing` until what ran before it has ended."""

    def __init__(self, clock: Clock) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        self.finishing = False
        self._clock, self._since = clock, 0.0
        self.over.set()

    @property
    def holds(self) -> bool:
        """From the moment of asking until nobody asks for it any more and what ran before it has ended."""
        return self.begun.is_set() or self.finishing

    @property
    def condition(self) -> Condition | None:
        """None unless it holds."""
        if not self.holds:
            return None
        if not self.begun.is_set():
            why = "resumed, once what is at its handler is finished"
        elif self.finishing:
            why = "receives nothing, finishes what is at its handler"
        else:
            why = "headrace resume goes on, and so does a restart"
        return Condition("paused", why, self._since)

    def ask(self, *, paused: bool) -> bool:
        """True when that changes anything."""
        if paused is self.begun.is_set():
            return False
        now, before = (self.begun, self.over) if paused else (self.over, self.begun)
        now.set()
        before.clear()
        self._since = self._clock.wall()
        return True
