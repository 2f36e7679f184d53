"""Ends the process when nothing else does: a wedged loop, a hung handler, a thread that never returns."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock, Thread, Timer

PATIENCE = 1.0
"""Seconds that the last words may take: a full pipe, or a lock that a wedged thread holds, holds no exit."""


class Watchdog:
    """One timer in a daemon thread, armed for what is to be over by then.

    *left* says what is left undone, one line each; it is called from the watchdog's thread.
    """

    def __init__(self, left: Callable[[], Sequence[str]]) -> None:
        self._left, self._status = left, 1
        self._timer: Timer | None = None
        self._lock = Lock()

    def arm(self, seconds: float, why: str, status: int = 1) -> None:
        """End the process with *status* unless it has ended, or the watchdog was armed anew, after *seconds*."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._status = status
            self._timer = Timer(seconds, self.bite, (why,))
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        """What was to be over is over."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def bite(self, why: str) -> None:
        """Say why and what was left, and end the process now, with the status that it was armed with; else with 1."""
        last_words = Thread(target=self._say, args=(why,), daemon=True)
        last_words.start()
        last_words.join(PATIENCE)
        os._exit(self._status)

    def _say(self, why: str) -> None:
        lines = [f"headrace: {why}"]
        try:
            lines += [f"headrace: {line}" for line in self._left()]
        except Exception as error:  # noqa: BLE001 - whatever a dying process still knows is better than nothing
            lines.append(f"headrace: what was left is not known: {type(error).__name__}: {error}")
        os.write(2, "".join(f"{line}\n" for line in lines).encode())
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
