"""The two day fields of a cron expression, with their letters: `?`, `L`, `W` and `#`."""

from __future__ import annotations

import re
from typing import Final

from headrace_connectors.schedule.days import (
    SATURDAY,
    Dates,
    Days,
    LastDay,
    LastOf,
    LastWeekday,
    NearestWeekday,
    NthOf,
    Weekdays,
)
from headrace_connectors.schedule.fields import DAY_OF_MONTH, DAY_OF_WEEK, numbers, value
from headrace_connectors.schedule.piece import Piece

OPEN: Final = "?"
"""The day field that is not used."""

WEEKS: Final = range(1, 6)
"""A month has no sixth Monday."""


def day_of_month(piece: Piece) -> Days | None:
    """The rule that *piece* means; None: `?`.

    Raises:
        ConfigError: it means none.
    """
    text = piece.text
    if text == OPEN:
        return None
    if text == "L":
        return LastDay()
    if text == "LW":
        return LastWeekday()
    if near := re.fullmatch("([0-9]+)W", text):
        return NearestWeekday(value(DAY_OF_MONTH, Piece(near[1], piece.column)))
    if re.search("[lwLW#]", text):
        raise piece.wrong(DAY_OF_MONTH.name, _letters_of_month(text))
    return Dates(numbers(DAY_OF_MONTH, piece))


def day_of_week(piece: Piece) -> Days | None:
    """The rule that *piece* means; None: `?`.

    Raises:
        ConfigError: it means none.
    """
    text = piece.text
    if text == OPEN:
        return None
    if text == "L":
        return Weekdays((SATURDAY,))
    if "#" in text:
        return _nth(piece)
    if re.search("[lL]", text):
        return _last(piece)
    if re.fullmatch("[0-9]*[wW]", text):
        raise piece.wrong(DAY_OF_WEEK.name, "W stands only in day-of-month, as in 15W")
    return Weekdays(numbers(DAY_OF_WEEK, piece))


def _nth(piece: Piece) -> Days:
    found = re.fullmatch("(?P<day>[0-9A-Za-z]+)#(?P<nth>[0-9]+)", piece.text)
    if found is None:
        message = f"{piece.text!r} is no day; # stands between one weekday and its number, alone, as in SAT#3"
        raise piece.wrong(DAY_OF_WEEK.name, message)
    weekday, nth = value(DAY_OF_WEEK, Piece(found["day"], piece.column)), int(found["nth"])
    if nth not in WEEKS:
        place = Piece(found["nth"], piece.column + found.start("nth"))
        raise place.wrong(DAY_OF_WEEK.name, f"{nth} is out of range; write 1-5, or {found['day']}L for the last")
    return NthOf(weekday, nth)


def _last(piece: Piece) -> Days:
    found = re.fullmatch("([0-9A-Za-z]+)L", piece.text)
    if found is None:
        message = f"{piece.text!r} is no day; L, a capital letter, stands alone or behind one weekday, as in FRIL"
        raise piece.wrong(DAY_OF_WEEK.name, message)
    return LastOf(value(DAY_OF_WEEK, Piece(found[1], piece.column)))


def _letters_of_month(text: str) -> str:
    """What is wrong where a letter stands."""
    if "#" in text:
        return "# stands only in day-of-week, as in SAT#3"
    if text.upper() != text:
        return f"{text!r} is no day; L and W are capital letters"
    if text == "W":
        return "W needs its day, as in 15W"
    return f"{text!r} is no day; L, LW, or one day with W, as 15W, stands alone in its field"
