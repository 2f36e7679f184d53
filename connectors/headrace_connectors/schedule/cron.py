"""A cron expression as a calendar: which local times it means, one after the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from headrace_connectors.schedule.days import Days, Month, month_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """Sets of numbers, ascending, and the rule for days.

    The years end, so every search does: at most 230 years of 12 months are looked at, and a month's days are reckoned
    once for each of the 28 forms that a month can have.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def walls(self, since: datetime) -> Iterator[datetime]:
        """The local times from *since* on (a whole minute, of no zone), ascending."""
        times = [60 * hour + minute for hour in self.hours for minute in self.minutes]
        today = since.replace(hour=0, minute=0)
        for day in self._dates(today):
            begin = bisect_left(times, 60 * since.hour + since.minute) if day == today else 0
            for time in times[begin:]:
                yield day + timedelta(minutes=time)

    def _dates(self, since: datetime) -> Iterator[datetime]:
        known: dict[Month, tuple[int, ...]] = {}
        for year in self.years[bisect_left(self.years, since.year) :]:
            for month in self.months:
                if (year, month) < (since.year, since.month):
                    continue
                form = month_of(year, month)
                if form not in known:
                    known[form] = self.days.of(form)
                for day in known[form]:
                    date = datetime(year, month, day)  # noqa: DTZ001 - local, of whatever zone
                    if date >= since:
                        yield date
