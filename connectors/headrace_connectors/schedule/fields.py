"""One field of a cron expression as a set of numbers: values, names, ranges, steps, and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Final

from headrace_connectors.schedule.piece import Piece, together


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What may stand in one field.

    Attributes:
        name: AWS's name of it.
        low, high: the smallest and the largest value.
        names: of the values, from the smallest on.
        wraps: a range may begin above its end, and goes on at the smallest value.
        steps: `/` may stand in it.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wraps: bool = True
    steps: bool = True

    @property
    def values(self) -> range:
        return range(self.low, self.high + 1)

    @property
    def span(self) -> str:
        """`1-12 or JAN-DEC`, for people."""
        named = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{named}"


MINUTES: Final = Field(name="minutes", low=0, high=59)
HOURS: Final = Field(name="hours", low=0, high=23)
DAY_OF_MONTH: Final = Field(name="day-of-month", low=1, high=31)
MONTH: Final = Field(
    name="month",
    low=1,
    high=12,
    names=("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
)
DAY_OF_WEEK: Final = Field(
    name="day-of-week", low=1, high=7, names=("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), steps=False
)
YEAR: Final = Field(name="year", low=1970, high=2199, wraps=False)

FIELDS: Final = (MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)


def numbers(field: Field, piece: Piece) -> tuple[int, ...]:
    """The values that *piece* means, ascending.

    Raises:
        ConfigError: with a fault for each item of the list that means none.
    """
    if piece.text == "*":
        return tuple(field.values)
    items = together(partial(_item, field, item) for item in piece.split(","))
    return tuple(sorted(set().union(*items)))


def value(field: Field, piece: Piece) -> int:
    """The one value that *piece* means, as a number or by name.

    Raises:
        ConfigError: it means none.
    """
    text = piece.text
    if text.isascii() and text.isdigit():
        if int(text) in field.values:
            return int(text)
        raise piece.wrong(field.name, f"{text} is out of range; write {field.span}")
    if text.isascii() and text.upper() in field.names:
        return field.low + field.names.index(text.upper())
    raise piece.wrong(field.name, _strange(field, text))


def _item(field: Field, piece: Piece) -> Sequence[int]:
    bounds, behind = piece.cut("/")
    if behind is None:
        first, last = _range(field, bounds)
        return _run(field, first, first if last is None else last)
    if not field.steps:
        raise piece.wrong(field.name, f"/ has no meaning in {field.name}; list its values, as {field.names[1]},7")
    if not bounds.text:
        raise bounds.wrong(field.name, "the step has no beginning; write * before it, as */5")
    if not (behind.text.isascii() and behind.text.isdigit() and int(behind.text)):
        raise behind.wrong(field.name, f"{behind.text!r} is no step; it is a whole number, 1 or more")
    first, last = (field.low, field.high) if bounds.text == "*" else _range(field, bounds)
    return _run(field, first, field.high if last is None else last)[:: int(behind.text)]


def _range(field: Field, piece: Piece) -> tuple[int, int | None]:
    """The bounds of a range; a single value has no second."""
    begin, behind = piece.cut("-")
    if behind is None:
        return value(field, begin), None
    if begin.text in {"", "*"} or behind.text in {"", "*"}:
        raise piece.wrong(field.name, f"{piece.text!r} is no range; write both ends, as {field.low}-{field.high}")
    first, last = together(partial(value, field, end) for end in (begin, behind))
    if first > last and not field.wraps:
        raise piece.wrong(field.name, f"the range ends before it begins; write {last}-{first}")
    return first, last


def _run(field: Field, first: int, last: int) -> Sequence[int]:
    """From *first* to *last*, through the wrap where it is one, in this order: steps count along it."""
    if first <= last:
        return range(first, last + 1)
    return [*range(first, field.high + 1), *range(field.low, last + 1)]


def _strange(field: Field, text: str) -> str:
    """What is wrong with a value that is none."""
    if not text:
        return f"a value is missing; write {field.span}"
    if text == "*":
        return "* is the whole field, and nothing stands beside it"
    if "?" in text:
        return "? stands alone, and only in day-of-month or day-of-week"
    close = [name for name in field.names if text.upper().startswith(name)]
    close = close or get_close_matches(text.upper(), field.names, 1)
    mend = f"did you mean {close[0]}?" if close else f"write {field.span}"
    return f"{text!r} is no value; {mend}"
