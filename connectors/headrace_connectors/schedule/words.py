"""What an expression means, in English; told from the sets that it was read to, which are what is reckoned with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from headrace_connectors.schedule.at import At
from headrace_connectors.schedule.cron import Cron
from headrace_connectors.schedule.days import Dates, Days, LastDay, LastOf, LastWeekday, NearestWeekday, NthOf, Weekdays
from headrace_connectors.schedule.fields import DAY_OF_MONTH, DAY_OF_WEEK, HOURS, MINUTES, MONTH, YEAR
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.timetable import Timetable

WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NTH: Final = ("first", "second", "third", "fourth", "fifth")

CLOCK_TIMES: Final = 6
"""As many times of day are listed; of more, minutes and hours are told apart."""

RUN: Final = 3
"""So many numbers in a row are a range, and so many years with equal steps between are every so many."""

MONTHLY: Final = " of the month"


def meaning(timetable: Timetable) -> str:
    """One sentence."""
    expression, zone = timetable.expression, timetable.zone
    if isinstance(expression, Rate):
        said = _rate(expression, timetable.start or timetable.anchor)
    elif isinstance(expression, At):
        said = f"once, on {day(expression.wall)} at {expression.wall:%H:%M:%S}, {zone} time"
    elif isinstance(expression, Cron):
        said = f"{_times(expression)} {_days_in_months(expression)}{_years(expression)}, {zone} time"
    else:
        said = f"by {expression}"
    return f"{said[0].upper()}{said[1:]}."


def day(wall: datetime) -> str:
    """`Monday 2026-06-01`."""
    return f"{WEEKDAYS[wall.isoweekday() % 7]} {wall:%Y-%m-%d}"


def _rate(rate: Rate, anchor: datetime) -> str:
    every = f"every {rate.unit}" if rate.value == 1 else f"every {rate.value} {rate.unit}s"
    first = "the first time then" if rate.at_once else "the first time one interval later"
    whole_days = "; a day is 24 hours, whatever the clocks do" if rate.unit == "day" else ""
    return f"{every}, counted from {utc(anchor)}, {first}{whole_days}"


def _times(cron: Cron) -> str:
    if len(cron.minutes) * len(cron.hours) <= CLOCK_TIMES:
        return f"at {_listed([f'{hour:02}:{minute:02}' for hour in cron.hours for minute in cron.minutes])}"
    minutes = _minutes(cron.minutes)
    if len(cron.hours) == len(HOURS.values):
        return f"{minutes}," if minutes.startswith("every") else f"{minutes} of every hour,"
    word = "hour" if len(cron.hours) == 1 else "hours"
    return f"{minutes} of the {word} {_numbers(cron.hours, '{:02}'.format)},"


def _minutes(minutes: tuple[int, ...]) -> str:
    if len(minutes) == len(MINUTES.values):
        return "every minute"
    step = minutes[1] if len(minutes) > 1 else 0
    if step and len(MINUTES.values) % step == 0 and minutes == tuple(MINUTES.values[::step]):
        return f"every {step} minutes"
    return f"at {'minute' if len(minutes) == 1 else 'minutes'} {_numbers(minutes, str)}"


def _days_in_months(cron: Cron) -> str:
    days = _days(cron.days)
    if len(cron.months) == len(MONTH.values):
        return days
    months = _numbers(cron.months, lambda number: MONTHS[number - 1])
    return f"{days.removesuffix(MONTHLY)} of {months}" if days.endswith(MONTHLY) else f"{days} in {months}"


def _days(days: Days) -> str:  # noqa: PLR0911 - one a form
    match days:
        case Dates(numbers) if len(numbers) == len(DAY_OF_MONTH.values):
            return "every day"
        case Dates(numbers):
            return f"on {'day' if len(numbers) == 1 else 'days'} {_numbers(numbers, str)}{MONTHLY}"
        case LastDay():
            return f"on the last day{MONTHLY}"
        case LastWeekday():
            return f"on the last working day (Monday to Friday){MONTHLY}"
        case NearestWeekday(number):
            return f"on the working day (Monday to Friday) nearest to day {number}{MONTHLY}"
        case Weekdays(numbers) if len(numbers) == len(DAY_OF_WEEK.values):
            return "every day"
        case Weekdays(numbers):
            return f"every {_numbers(numbers, _weekday)}"
        case LastOf(weekday):
            return f"on the last {_weekday(weekday)}{MONTHLY}"
        case NthOf(weekday, nth):
            return f"on the {NTH[nth - 1]} {_weekday(weekday)}{MONTHLY}"
        case _:
            raise TypeError(days)


def _weekday(number: int) -> str:
    return WEEKDAYS[number - 1]


def _years(cron: Cron) -> str:
    years = cron.years
    if len(years) == len(YEAR.values):
        return ""
    steps = {later - year for year, later in pairwise(years)}
    if len(steps) == 1 and len(years) >= RUN and steps != {1}:
        return f", every {steps.pop()} years from {years[0]} to {years[-1]}"
    return f" in {_numbers(years, str)}"


def _numbers(numbers: Sequence[int], shown: Callable[[int], str]) -> str:
    """`1, 5 to 9 and 12`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts: list[str] = []
    for run in runs:
        parts += [f"{shown(run[0])} to {shown(run[-1])}"] if len(run) >= RUN else [shown(number) for number in run]
    return _listed(parts)


def _listed(parts: Sequence[str]) -> str:
    *rest, last = parts
    return f"{', '.join(rest)} and {last}" if rest else last
