"""What is said of schedules: meaning, next occurrences, what a change of the clocks does, why there is none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from headrace_connectors.schedule.explain import Row, never, rows
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.timetable import Timetable
from headrace_connectors.schedule.words import meaning

NOW = datetime(2026, 3, 7, 12, tzinfo=UTC)


def timetable(text: str, zone: str = "UTC", **more) -> Timetable:
    return Timetable(expression=parse(text), anchor=NOW, zone=ZoneInfo(zone), **more)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cron(0 12 * * ? *)", "At 12:00 every day"),
        ("cron(0 0/12 ? * * *)", "At 00:00 and 12:00 every day"),
        ("cron(* * * * ? *)", "Every minute, every day"),
        ("cron(*/15 * * * ? *)", "Every 15 minutes, every day"),
        ("cron(0/30 * * * ? *)", "Every 30 minutes, every day"),
        ("cron(0/7 * * * ? *)", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour, every day"),
        ("cron(5 * * * ? *)", "At minute 5 of every hour, every day"),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            "Every 30 minutes of the hours 00 to 02 and 20 to 23, every Monday to Friday",
        ),
        ("cron(* 5 ? * * *)", "Every minute of the hour 05, every day"),
        ("cron(0 9 ? * TUE,THU *)", "At 09:00 every Tuesday and Thursday"),
        ("cron(15 10 ? * FRIL *)", "At 10:15 on the last Friday of the month"),
        ("cron(0 2 ? * SAT#3 *)", "At 02:00 on the third Saturday of the month"),
        ("cron(0 0 1,15,28-31 * ? *)", "At 00:00 on days 1, 15 and 28 to 31 of the month"),
        ("cron(0 0 L 2 ? *)", "At 00:00 on the last day of February"),
        ("cron(0 0 LW * ? *)", "At 00:00 on the last working day (Monday to Friday) of the month"),
        ("cron(0 0 1W 8 ? 2026)", "At 00:00 on the working day (Monday to Friday) nearest to day 1 of August in 2026"),
        ("cron(0 0 ? DEC-FEB 2 *)", "At 00:00 every Monday in January, February and December"),
        ("cron(0 0 1 1 ? 2026/2)", "At 00:00 on day 1 of January, every 2 years from 2026 to 2198"),
        ("cron(0 0 1 1 ? 2026-2030)", "At 00:00 on day 1 of January in 2026 to 2030"),
    ],
)
def test_cron_in_words(text, said):
    """Mutation, tried: every 7 minutes, though the hour is not divided by them."""
    assert meaning(timetable(text, "Europe/Berlin")) == f"{said}, Europe/Berlin time."


def test_rate_and_at_in_words():
    assert meaning(timetable("rate(5 minutes)")) == (
        "Every 5 minutes, counted from 2026-03-07T12:00:00Z, the first time then."
    )
    rule = Timetable(expression=parse("rate(1 day)", "rule"), anchor=NOW)
    assert meaning(rule) == (
        "Every day, counted from 2026-03-07T12:00:00Z, the first time one interval later; "
        "a day is 24 hours, whatever the clocks do."
    )
    dated = timetable("rate(1 hour)", start=at("2026-04-01T00:00"))
    assert meaning(dated) == "Every hour, counted from 2026-04-01T00:00:00Z, the first time then."
    assert meaning(timetable("at(2026-06-01T10:00:00)")) == "Once, on Monday 2026-06-01 at 10:00:00, UTC time."


def test_a_skipped_local_time_is_told_in_its_place():
    """Mutation, tried: left out without a word."""
    assert rows(timetable("cron(30 2 * * ? *)", "America/New_York"), NOW, 1) == [
        Row("Sunday 2026-03-08 02:30:00", None, "does not exist, as clocks go from 02:00 to 03:00"),
        Row("Monday 2026-03-09 02:30:00 EDT", at("2026-03-09T06:30")),
    ]
    told = rows(timetable("cron(* 2 * * ? *)", "America/New_York"), at("2026-03-08T06:00"), 1)
    assert told[0] == Row(
        "Sunday 2026-03-08 02:00:00 to 02:59:00", None, "60 do not exist, as clocks go from 02:00 to 03:00"
    )
    assert len(told) == 2


def test_a_whole_day_that_is_skipped_is_told_with_its_dates():
    told = rows(timetable("cron(0 12 30,31 12 ? *)", "Pacific/Apia"), at("2011-12-01T00:00"), 1)
    assert [row.note for row in told] == [
        "does not exist, as clocks go from 2011-12-30 00:00 to 2011-12-31 00:00",
        "",
    ]


def test_a_local_time_that_comes_twice_is_told():
    """Mutation, tried: told of the day after."""
    assert rows(timetable("cron(30 1 * * ? *)", "America/New_York"), at("2026-11-01T00:00"), 2) == [
        Row(
            "Sunday 2026-11-01 01:30:00 EDT",
            at("2026-11-01T05:30"),
            "comes twice, as clocks go from 02:00 to 01:00: fires the first time",
        ),
        Row("Monday 2026-11-02 01:30:00 EST", at("2026-11-02T06:30")),
    ]


def test_an_at_that_does_not_exist_is_told_with_the_time_at_which_it_fires():
    assert rows(timetable("at(2026-03-08T02:30:00)", "America/New_York"), NOW, 9) == [
        Row(
            "Sunday 2026-03-08 03:30:00 EDT",
            at("2026-03-08T07:30"),
            "02:30:00 does not exist, as clocks go from 02:00 to 03:00: fires by the offset before",
        )
    ]


@pytest.mark.parametrize(
    ("text", "zone", "why"),
    [
        ("cron(0 0 30 2 ? *)", "UTC", "no day up to the year 2199 is such a one"),
        ("cron(0 0 * * ? 2005)", "UTC", "all its times are before 2026-03-07T12:00:00Z"),
        ("at(2025-01-01T00:00:00)", "UTC", "all its times are before 2026-03-07T12:00:00Z"),
        (
            "cron(30 2 ? 3 SUN#2 *)",
            "America/New_York",
            "after 2026-03-07T12:00:00Z clocks go forward over each local time that it names",
        ),
    ],
)
def test_why_there_is_no_next_occurrence(text, zone, why):
    found = timetable(text, zone)
    assert rows(found, NOW, 3) == []
    assert never(found, NOW) == f"never fires: {why}"


def test_why_a_rate_has_no_first_occurrence():
    """Mutation, tried: no day is such a one, which is said of cron."""
    ended = timetable("rate(1 hour)", end=at("2020-01-01"))
    assert never(ended, NOW) == "never fires: its first time comes after its end date, 2020-01-01T00:00:00Z"
    late = Timetable(expression=parse("rate(1000000 days)", "rule"), anchor=NOW)
    assert never(late, NOW) == "never fires: its first time comes after the year 2199"
