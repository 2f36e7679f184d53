"""`rate(5 minutes)`: elapsed time from an anchor, whatever clocks do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final

from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.fields import YEAR
from headrace_connectors.schedule.piece import Piece

SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400}

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(YEAR.high + 1, 1, 2, tzinfo=UTC)
"""Cron's years are over in every zone, and so is every schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Every *value* *unit*s. A day is always 24 hours.

    `at_once`: the anchor itself is the first occurrence (Scheduler); else it is one interval later (rule).
    """

    value: int
    unit: str
    at_once: bool

    def instants(self, anchor: datetime, after: datetime) -> Iterator[datetime]:
        """The occurrences that are later than *after*, counted from *anchor*; in UTC."""
        every, begin = self.value * SECONDS[self.unit], anchor.astimezone(UTC)
        gone = max(0, (after - begin) // timedelta(seconds=1)) // every
        number = gone if self.at_once else max(1, gone)
        room = (LATEST - begin) // timedelta(seconds=1)  # integers: a rate of a million years is no date
        while number * every <= room:
            instant = begin + timedelta(seconds=number * every)
            if instant > after:
                yield instant
            number += 1


def rate(inner: Piece, dialect: Dialect) -> Rate:
    """What *inner* means.

    Raises:
        ConfigError: it is no rate.
    """
    number, unit = inner.cut(" ")
    if unit is None:
        raise inner.wrong("", f"{inner.text!r} is no rate; write a value, a blank and a unit, as rate(5 minutes)")
    if not number.text:
        raise inner.wrong("", "a blank stands behind (; remove it")
    if not (number.text.isascii() and number.text.isdigit() and int(number.text)):
        raise number.wrong("value", f"{number.text!r} is no whole number, 1 or more; a rate has no other value")
    value = int(number.text)
    return Rate(value=value, unit=_unit(unit, value, dialect), at_once=dialect == "scheduler")


def _unit(piece: Piece, value: int, dialect: Dialect) -> str:
    known = [word for unit in SECONDS for word in (unit, f"{unit}s")]
    if piece.text not in known:
        close = get_close_matches(piece.text.strip().lower(), known, 1, 0.8)
        mend = f"did you mean {close[0]}?" if close else "units are minutes, hours and days"
        raise piece.wrong("unit", f"{piece.text!r} is no unit; {mend}")
    unit = piece.text.removesuffix("s")
    fit = unit if value == 1 else f"{unit}s"
    if dialect == "rule" and piece.text != fit:
        raise piece.wrong("unit", f"in a rule {value} and {piece.text} do not go together; write rate({value} {fit})")
    return unit
