"""When schedules fire, beside the vectors: bounds of a search, dates, changes of the clocks, the edges of time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from headrace.errors import ConfigError
from headrace_connectors.schedule.cron import Cron
from headrace_connectors.schedule.days import Month, NearestWeekday
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.timetable import Timetable
from headrace_connectors.schedule.zones import zone

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def timetable(text: str, where: tzinfo = UTC, **more) -> Timetable:
    return Timetable(expression=parse(text), anchor=NOW, zone=where, **more)


def first(found: Timetable, after: datetime = NOW, count: int = 3) -> list[str]:
    return [at.isoformat().removesuffix(":00+00:00") for at in islice(found.occurrences(after), count)]


class Counting:
    """A rule for days that counts what it is asked."""

    def __init__(self, days):
        self.days, self.asked = days, 0

    def of(self, month):
        self.asked += 1
        return self.days.of(month)


class Watched(tzinfo):
    """A zone that counts the local times that are reckoned with it."""

    def __init__(self, where):
        self.where, self.asked = where, 0

    def utcoffset(self, moment):
        self.asked += 1
        return self.where.utcoffset(moment.replace(tzinfo=self.where))

    def fromutc(self, moment):
        self.asked += 1
        return self.where.fromutc(moment.replace(tzinfo=self.where)).replace(tzinfo=self)

    def dst(self, _):
        return None

    def tzname(self, _):
        return "watched"


NEVER = [
    "cron(0 0 30 2 ? *)",
    "cron(* * 31 FEB,APR,JUN,SEP,NOV ? *)",
    "cron(* * 31W 2,4,6,9,11 ? *)",
    "cron(0 0 ? 2 SUN#5 2026-2031)",
    "cron(* * ? * * 2002-2005)",
]


@pytest.mark.parametrize("text", NEVER)
def test_what_never_fires_is_known_after_the_28_forms_of_a_month(text):
    """No local time is ever looked at. Mutation, tried: the days of each month reckoned anew."""
    expression = parse(text)
    assert isinstance(expression, Cron)
    days, where = Counting(expression.days), Watched(UTC)
    found = Timetable(expression=replace(expression, days=days), anchor=NOW, zone=where)
    assert list(found.occurrences(NOW)) == []
    assert days.asked <= 28
    assert where.asked <= 2


def test_a_local_time_that_is_always_skipped_is_looked_for_once_a_year():
    """Since 2007 clocks in New York go forward on the second Sunday of March, at 2."""
    where = Watched(NEW_YORK)
    found = Timetable(expression=parse("cron(30 2 ? MAR SUN#2 *)"), anchor=NOW, zone=where)
    assert list(found.occurrences(NOW)) == []
    assert where.asked < 10 * (2200 - 2026)
    assert first(timetable("cron(30 2 ? MAR SUN#2 *)", NEW_YORK), datetime(2000, 1, 1, tzinfo=UTC), 2) == [
        "2000-03-12T07:30",
        "2001-03-11T07:30",
    ]


def test_the_next_occurrence_asks_no_more_than_it_needs():
    """Mutation, tried: a list where an iterator is promised."""
    where = Watched(UTC)
    found = Timetable(expression=parse("cron(* 0 1 * ? *)"), anchor=NOW, zone=where)
    assert next(found.occurrences(NOW)) == NOW + timedelta(minutes=1)
    assert where.asked < 20


def test_the_years_end():
    last = timetable("cron(59 23 31 12 ? *)", ZoneInfo("Etc/GMT+12"))
    assert first(last, datetime(2198, 12, 31, 12, tzinfo=UTC)) == ["2199-01-01T11:59", "2200-01-01T11:59"]
    assert first(timetable("rate(300 days)"), datetime(2199, 12, 1, tzinfo=UTC)) == []
    assert first(timetable(f"rate({10**200} days)"), NOW - timedelta(1)) == ["2026-01-01T00:00"]


@pytest.mark.parametrize(
    "text", ["cron(0 0 1 1 ? 1970-1971)", "cron(0 0 ? 1 * *)", "rate(1 day)", "at(1970-01-01T00:00:00)"]
)
@pytest.mark.parametrize("where", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def test_all_of_time_may_be_asked_about(text, where):
    """Mutation, tried: a local time of the year 0."""
    edges = [edge.replace(tzinfo=UTC) for edge in (datetime.min, datetime.max)]  # noqa: DTZ901 - made so here
    for after in edges:
        for start in (None, *edges):
            list(islice(timetable(text, ZoneInfo(where), start=start).occurrences(after), 2))


def test_dates_are_the_first_and_the_last_instant():
    """Mutations, each tried: exclusive bounds."""
    begin, end = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 3, 12, tzinfo=UTC)
    found = timetable("cron(0 12 * * ? *)", start=begin, end=end)
    assert first(found, count=9) == ["2026-05-01T12:00", "2026-05-02T12:00", "2026-05-03T12:00"]
    assert first(found, begin) == ["2026-05-02T12:00", "2026-05-03T12:00"]
    second = timedelta(seconds=1)
    assert first(replace(found, start=begin + second, end=end - second)) == ["2026-05-02T12:00"]


def test_an_end_among_skipped_local_times_loses_nothing_before_it():
    """02:30 would be at 07:30Z, and 03:00, which exists, is at 07:00Z. Mutation, tried: the skipped one ends it."""
    end = datetime(2026, 3, 8, 7, 15, tzinfo=UTC)
    found = timetable("cron(0/30 * * * ? *)", NEW_YORK, end=end)
    assert first(found, datetime(2026, 3, 8, 6, 45, tzinfo=UTC)) == ["2026-03-08T07:00"]


def test_after_may_have_any_zone_and_fraction():
    after = datetime(2026, 1, 1, 13, 0, 0, 1, tzinfo=timezone(timedelta(hours=1)))
    assert first(timetable("cron(0 12 * * ? *)"), after, 1) == ["2026-01-02T12:00"]
    assert first(timetable("cron(0 12 * * ? *)"), after - timedelta(microseconds=1), 1) == ["2026-01-02T12:00"]
    assert first(timetable("cron(0 12 * * ? *)"), after - timedelta(microseconds=2), 1) == ["2026-01-01T12:00"]


def test_what_comes_twice_fires_once_and_is_not_begun_again_between_the_two():
    """Asked between both instants of 01:30: the next is of the next day. Mutation, tried: the second of two."""
    found = timetable("cron(30 1 * * ? *)", NEW_YORK)
    for minutes in (0, 30, 59):
        between = datetime(2026, 11, 1, 5, 30, tzinfo=UTC) + timedelta(minutes=minutes)
        assert first(found, between, 1) == ["2026-11-02T06:30"]


def test_a_rate_counts_elapsed_time_through_a_change():
    found = timetable("rate(1 hour)", NEW_YORK)
    some = list(islice(found.occurrences(datetime(2026, 3, 8, 4, tzinfo=UTC)), 6))
    assert {later - at for at, later in pairwise(some)} == {timedelta(hours=1)}


def test_the_working_day_nearest_to_a_day_stays_in_its_month():
    """Months that begin on each weekday, 1 is Sunday. Mutation, tried: the Friday before the first."""
    assert [NearestWeekday(1).of(Month(first, 30)) for first in range(1, 8)] == [(2,), *[(1,)] * 5, (3,)]
    assert [NearestWeekday(30).of(Month(first, 30)) for first in range(1, 8)] == [*[(30,)] * 5, (29,), (28,)]
    assert [NearestWeekday(15).of(Month(first, 30)) for first in range(1, 8)] == [(16,), *[(15,)] * 5, (14,)]
    assert NearestWeekday(31).of(Month(1, 30)) == ()


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York?"),
        ("utc", "did you mean UTC?"),
        ("Mars/Olympus", "write an IANA name, as Europe/Berlin or UTC"),
        ("localtime", "write an IANA name, as Europe/Berlin or UTC"),
        ("../../etc/passwd", "write an IANA name, as Europe/Berlin or UTC"),
        ("right/UTC", "write an IANA name, as Europe/Berlin or UTC"),
        ("", "write an IANA name, as Europe/Berlin or UTC"),
        ("a\x00b", "write an IANA name, as Europe/Berlin or UTC"),
    ],
)
def test_a_zone_that_is_unknown_is_refused_with_what_may_be_meant(name, mend):
    """Mutation, tried: the machine's own `localtime` taken for a zone, where it has one."""
    with pytest.raises(ConfigError, match="there is no time zone") as refused:
        zone(name, "schedule_expression_timezone")
    (fault,) = refused.value.faults
    assert fault.path == "schedule_expression_timezone"
    assert mend in fault.message
