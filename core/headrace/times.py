"""Times as people write them: a moment in Unix seconds or ISO 8601, a duration in seconds or as `1h30m`."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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


def duration(value: str | float) -> float:
    """Seconds of *value*: a number, its text, or numbers with units, as `90s`, `30m`, `1h30m`, `7d`.

    Raises:
        ValueError: it is none of them.
    """
    text = str(value)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII):
        return float(text)
    if not re.fullmatch(r"([0-9]+[dhms])+", text, re.ASCII):
        raise ValueError("must be seconds, or a duration as 90s, 30m, 1h30m or 7d")
    return float(sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", text)))
