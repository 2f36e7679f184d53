"""The one file that reads the clock."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
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


def boot_id() -> str:
    """A text that is the same until this machine boots again: two readings of `boot` compare only under one of these.

    Raises:
        OSError: this system has none that we know of.
    """
    linux = Path("/proc/sys/kernel/random/boot_id")
    if linux.exists():
        return linux.read_text().strip()
    macos = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    said = subprocess.run(macos, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - fixed words
    if not said:
        raise OSError("this system does not say when it booted (neither /proc nor kern.bootsessionuuid)")
    return said
