"""`at(2026-06-01T10:00:00)`: one local time, once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from headrace_connectors.schedule.fields import YEAR
from headrace_connectors.schedule.piece import Piece


@dataclass(frozen=True, slots=True)
class At:
    """The local time, of no zone."""

    wall: datetime


def at(inner: Piece) -> At:
    """What *inner* means.

    Raises:
        ConfigError: it is no such time.
    """
    text = inner.text
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text, re.ASCII):
        zone = "; a zone is given beside it" if re.search(r":\d\d.*(Z|[+-]\d\d:?\d\d)$", text) else ""
        raise inner.wrong("", f"{text!r} is no time; write yyyy-mm-ddThh:mm:ss, as at(2026-06-01T10:00:00){zone}")
    try:
        wall = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - local, of whatever zone
    except ValueError:
        raise inner.wrong("", f"{text} is no time that there is; look at its month, day, hour and minute") from None
    if wall.year not in YEAR.values:
        raise inner.wrong("year", f"{wall.year:04} is out of range; write {YEAR.span}")
    return At(wall)
