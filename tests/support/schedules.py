"""A second evaluator of schedules, naive and slow: it shares no code with ours, and looks at every day or minute.

Expressions are read item by item for each value that is asked about; local times become instants by trying every offset
that the zone has about that day. `random_expression` makes the texts that both are asked about.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def number(text: str, names: Sequence[str]) -> int:
    return names.index(text.upper()) + 1 if text.upper() in names else int(text)


@lru_cache(100_000)
def holds(text: str, value: int, low: int, high: int, names: Sequence[str] = ()) -> bool:
    """Is *value* one of those that a field's *text* means? Walks along each item."""
    for item in text.split(","):
        bounds, _, step = item.partition("/")
        if bounds == "*":
            begin, end = low, high
        else:
            begin = number(bounds.split("-")[0], names)
            end = number(bounds.split("-")[-1], names) if "-" in bounds or not step else high
        walked, at = 0, begin
        while True:
            if at == value and walked % int(step or 1) == 0:
                return True
            if at == end:
                break
            at, walked = (low if at == high else at + 1), walked + 1
    return False


def of_month(text: str, day: date) -> bool:
    month = [day.replace(day=1) + n * DAY for n in range(31)]
    month = [one for one in month if one.month == day.month]
    working = [one for one in month if one.isoweekday() <= 5]
    if text == "L":
        return day == month[-1]
    if text == "LW":
        return day == working[-1]
    if text.endswith("W"):
        wanted = int(text[:-1])
        return wanted <= len(month) and day == min(working, key=lambda one: abs(one.day - wanted))
    return holds(text, day.day, 1, 31)


def of_week(text: str, day: date) -> bool:
    weekday = day.isoweekday() % 7 + 1
    if text == "L":
        return weekday == 7
    if text.endswith("L"):
        return weekday == number(text[:-1], WEEKDAYS) and (day + 7 * DAY).month != day.month
    if "#" in text:
        name, nth = text.split("#")
        return weekday == number(name, WEEKDAYS) and (day.day + 6) // 7 == int(nth)
    return holds(text, weekday, 1, 7, WEEKDAYS)


@lru_cache
def fields(expression: str) -> list[str]:
    found = re.fullmatch(r"cron\((.*)\)", expression)
    assert found
    return [*found[1].split(), "*"][:6]


@lru_cache
def day_fits(expression: str, day: date) -> bool:
    _, _, by_month, month, by_week, year = fields(expression)
    return (
        holds(year, day.year, 1970, 2199)
        and holds(month, day.month, 1, 12, MONTHS)
        and (of_week(by_week, day) if by_month == "?" else of_month(by_month, day))
    )


def fits(expression: str, wall: datetime) -> bool:
    minute, hour, *_ = fields(expression)
    return holds(minute, wall.minute, 0, 59) and holds(hour, wall.hour, 0, 23) and day_fits(expression, wall.date())


def by_days(expression: str, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Every day from *after* to *until*, every minute of those that fit; each at its first instant, if it has one."""
    minute, hour, *_ = fields(expression)
    times = [(h, m) for h in range(24) if holds(hour, h, 0, 23) for m in range(60) if holds(minute, m, 0, 59)]
    day = (after - 2 * DAY).date()
    while day <= (until + 2 * DAY).date():
        if day_fits(expression, day):
            offsets = offsets_about(zone, day)
            for hours, minutes in times:
                wall = datetime(day.year, day.month, day.day, hours, minutes)  # noqa: DTZ001 - local
                at = first_instant(wall, zone, offsets)
                if at is not None and after < at <= until:
                    yield at
        day += DAY


def offsets_about(zone: ZoneInfo, day: date) -> set[timedelta]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    found = [(noon + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-40, 41, 4)]
    return {one for one in found if one is not None}


def first_instant(wall: datetime, zone: ZoneInfo, offsets: set[timedelta]) -> datetime | None:
    tried = sorted(wall.replace(tzinfo=UTC) - offset for offset in offsets)
    return next((at for at in tried if at.astimezone(zone).replace(tzinfo=None) == wall), None)


def by_minutes(zone: ZoneInfo, after: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Every minute of real time from *after* to *until* at which the clock on the wall shows something new, and what.

    What that has shown in the 26 hours before is not new.
    """
    shown: set[datetime] = set()
    found = []
    at = after.replace(second=0, microsecond=0) - timedelta(hours=26)
    while at <= until:
        wall = at.astimezone(zone).replace(tzinfo=None)
        if wall not in shown and at > after:
            found.append((at, wall))
        shown.add(wall)
        at += MINUTE
    return found


def changes(zone: ZoneInfo, begin: int, end: int) -> list[datetime]:
    """The hours in which the zone's offset changes, in those years: the last whole hour before."""
    found = []
    at, last = datetime(begin, 1, 1, tzinfo=UTC), None
    while at.year < end:
        offset = at.astimezone(zone).utcoffset()
        if last is not None and offset != last:
            hours = (at - DAY + timedelta(hours=hour) for hour in range(24, -1, -1))
            found.append(next(one for one in hours if one.astimezone(zone).utcoffset() == last))
        last = offset
        at += DAY
    return found


def random_expression(rng: random.Random) -> str:
    """Any cron expression that is valid in both dialects; rare days and few times a day are likely."""
    minute = some(rng, 0, 59) if rng.random() < 0.5 else str(rng.randrange(60))
    hour = some(rng, 0, 23) if rng.random() < 0.5 else str(rng.randrange(24))
    month = "*" if rng.random() < 0.5 else some(rng, 1, 12, MONTHS)
    year = "*" if rng.random() < 0.7 else random_years(rng)
    if rng.random() < 0.5:
        kinds = [
            "*",
            "L",
            "LW",
            f"{rng.choice([1, 15, 30, 31])}W",
            str(rng.randint(1, 31)),
            some(rng, 1, 31),
        ]
        by_month, by_week = rng.choice(kinds), "?"
    else:
        day = rng.choice([str(rng.randint(1, 7)), rng.choice(WEEKDAYS)])
        kinds = ["*", "L", f"{day}L", f"{day}#{rng.randint(1, 5)}", some(rng, 1, 7, WEEKDAYS, steps=False)]
        by_month, by_week = "?", rng.choice(kinds)
    return f"cron({minute} {hour} {by_month} {month} {by_week} {year})"


def some(rng: random.Random, low: int, high: int, names: Sequence[str] = (), *, steps: bool = True) -> str:
    def one() -> str:
        value = rng.randint(low, high)
        name = names[value - 1] if names else f"{value:02}"
        return rng.choice([str(value), rng.choice([name, name.lower()])])

    def item() -> str:
        bounds = rng.choice([one(), one(), f"{one()}-{one()}"])
        if not steps or rng.random() < 0.5:
            return bounds
        return f"{rng.choice(['*', bounds, bounds])}/{rng.choice([1, 2, 3, 5, 7, 10, 15, 30, 65])}"

    return "*" if rng.random() < 0.1 else ",".join(item() for _ in range(rng.choice([1, 1, 2, 3])))


def random_years(rng: random.Random) -> str:
    begin = rng.randint(1995, 2060)
    form = rng.choice(["{0}", "{0}-{1}", "{0}/{2}", "*/{2}", "{0},{1}", "{0}-{1}/{2}"])
    return form.format(begin, begin + rng.randint(0, 40), rng.randint(1, 9))
