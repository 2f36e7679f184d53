"""How long after its time an occurrence fires: a flexible time window, and jitter. By a hash, not by chance.

So every copy that asks, and asks again after a crash, is told the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from headrace_connectors.schedule.instants import occurrence_id

BITS: Final = 64


def delay(schedule: str, at: datetime, *, window: timedelta, jitter: timedelta) -> timedelta:
    """The delay of the occurrence that *schedule* has planned for *at*.

    Evenly spread: from 0 up to *window* (`flexible_time_window`), and on it from 0 up to *jitter*.
    """
    return window * _fraction(schedule, at, "window") + jitter * _fraction(schedule, at, "jitter")


def _fraction(schedule: str, at: datetime, purpose: str) -> float:
    """From 0 to below 1, one for each purpose."""
    key = f"{purpose} {occurrence_id(schedule, at)}".encode()
    drawn = int.from_bytes(blake2b(key, digest_size=BITS // 8).digest(), "big")
    return (drawn >> 11) / (1 << (BITS - 11))  # as many bits as a float has
