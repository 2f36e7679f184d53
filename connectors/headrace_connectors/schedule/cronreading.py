"""Reading what stands between the parentheses of `cron(…)`, in either dialect."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from headrace_connectors.schedule.cron import Cron
from headrace_connectors.schedule.dayfields import OPEN, day_of_month, day_of_week
from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.fields import DAY_OF_WEEK, FIELDS, HOURS, MINUTES, MONTH, YEAR, numbers
from headrace_connectors.schedule.piece import BLANKS, Piece, together

FORM: Final = " ".join(field.name for field in FIELDS)
ALL: Final = len(FIELDS)


def cron(inner: Piece, dialect: Dialect) -> Cron:
    """What *inner* means.

    Raises:
        ConfigError: with every fault of every field.
    """
    if inner.text != inner.text.strip(BLANKS):
        raise inner.wrong("", "a blank stands behind ( or before ); remove it")
    pieces = _fields(inner, dialect)
    minutes, hours, by_month, month, by_week, year = pieces
    read: list[Any] = together(
        [
            partial(numbers, MINUTES, minutes),
            partial(numbers, HOURS, hours),
            partial(day_of_month, by_month),
            partial(numbers, MONTH, month),
            partial(day_of_week, by_week),
            partial(numbers, YEAR, year),
            partial(_one_is_open, by_month, by_week),
        ]
    )
    return Cron(minutes=read[0], hours=read[1], days=read[2] or read[4], months=read[3], years=read[5])


def _fields(inner: Piece, dialect: Dialect) -> list[Piece]:
    pieces = inner.words()
    end = Piece("", inner.column + len(inner.text))
    if len(pieces) == ALL - 1 and dialect == "scheduler":
        return [*pieces, Piece("*", end.column)]
    if len(pieces) == ALL:
        return pieces
    place = pieces[ALL] if len(pieces) > ALL else end
    if len(pieces) == ALL - 1:
        message = f"the year is missing: a rule has six fields, {FORM}; write * for every year"
    else:
        more = "; there is no field for seconds" if len(pieces) == ALL + 1 else ""
        less = ", of which the year may be left out" if dialect == "scheduler" else ""
        message = f"six fields are needed, not {len(pieces)}; write {FORM}{less}{more}"
    raise place.wrong("", message)


def _one_is_open(by_month: Piece, by_week: Piece) -> None:
    if by_month.text == OPEN and by_week.text == OPEN:
        raise by_week.wrong(DAY_OF_WEEK.name, "both day fields are ?; write * in one of them for every day")
    if OPEN not in {by_month.text, by_week.text}:
        raise by_week.wrong(
            DAY_OF_WEEK.name, "day-of-month is set, too; write ? in that of the two that is not to count"
        )
