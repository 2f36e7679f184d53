"""The one file that reads the clock."""

from __future__ import annotations

import time
from typing import Protocol

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux counts the time that a machine sleeps only in CLOCK_BOOTTIME; macOS's monotonic clock counts it already."""


class Clock(Protocol):
    """Two readings of time, both in seconds."""

    def wall(self) -> float:
        """Unix time. Steps when the machine's clock is set: for ages and stamps, never for deadlines."""
        ...

    def boot(self) -> float:
        """Time that only goes forward and runs on while the machine sleeps: for every deadline."""
        ...


class SystemClock:
    """This machine's clock."""

    def wall(self) -> float:
        return time.time()

    def boot(self) -> float:
        return time.clock_gettime(_BOOT)


SYSTEM = SystemClock()
