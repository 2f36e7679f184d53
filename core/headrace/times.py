"""A moment as people write it: Unix seconds, or an ISO 8601 time."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def unix(value: str | float) -> float:
    """Unix seconds of *value*: a number, its text, or an ISO 8601 time, which is UTC where it names no zone.

    Raises:
        ValueError: it is none of them.
    """
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if math.isfinite(seconds):
        return seconds
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be Unix seconds, or a time as 2026-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
