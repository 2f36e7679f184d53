"""Which days of a month a cron expression means: one small rule for each form of its two day fields."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from typing import Final, Protocol

SUNDAY: Final = 1
SATURDAY: Final = 7


@dataclass(frozen=True, slots=True)
class Month:
    """What counts of a month: the weekday of its first day (1 is Sunday), and how many days it has.

    There are only 28 of them.
    """

    first: int
    length: int

    def weekday(self, day: int) -> int:
        return (self.first + day - 2) % 7 + 1

    def all(self, weekday: int) -> range:
        """The days that are such a weekday."""
        return range((weekday - self.first) % 7 + 1, self.length + 1, 7)


def month_of(year: int, month: int) -> Month:
    monday_is_0, length = monthrange(year, month)
    return Month((monday_is_0 + 1) % 7 + 1, length)


class Days(Protocol):
    """A rule for days: a value, so that equal ones are equal."""

    def of(self, month: Month) -> tuple[int, ...]:
        """The days of *month* that are meant, ascending; often none."""
        ...


@dataclass(frozen=True, slots=True)
class Dates:
    """Days by their number; what a month has not, it has not."""

    numbers: tuple[int, ...]

    def of(self, month: Month) -> tuple[int, ...]:
        return tuple(day for day in self.numbers if day <= month.length)


@dataclass(frozen=True, slots=True)
class LastDay:
    """`L` in day-of-month."""

    def of(self, month: Month) -> tuple[int, ...]:
        return (month.length,)


@dataclass(frozen=True, slots=True)
class LastWeekday:
    """`LW`: the last day that is one of Monday to Friday."""

    def of(self, month: Month) -> tuple[int, ...]:
        return NearestWeekday(month.length).of(month)


@dataclass(frozen=True, slots=True)
class NearestWeekday:
    """`15W`: of Monday to Friday the day nearest to the 15th, in the same month. A month without that day has none."""

    day: int

    def of(self, month: Month) -> tuple[int, ...]:
        if self.day > month.length:
            return ()
        if month.weekday(self.day) == SATURDAY:
            return (self.day - 1 if self.day > 1 else 3,)
        if month.weekday(self.day) == SUNDAY:
            return (self.day + 1 if self.day < month.length else self.day - 2,)
        return (self.day,)


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Days by their weekday."""

    numbers: tuple[int, ...]

    def of(self, month: Month) -> tuple[int, ...]:
        return tuple(sorted(day for weekday in self.numbers for day in month.all(weekday)))


@dataclass(frozen=True, slots=True)
class LastOf:
    """`FRIL`: the last Friday."""

    weekday: int

    def of(self, month: Month) -> tuple[int, ...]:
        return (month.all(self.weekday)[-1],)


@dataclass(frozen=True, slots=True)
class NthOf:
    """`SAT#3`: the third Saturday. A month without a fifth has none."""

    weekday: int
    nth: int

    def of(self, month: Month) -> tuple[int, ...]:
        return tuple(month.all(self.weekday)[self.nth - 1 : self.nth])
