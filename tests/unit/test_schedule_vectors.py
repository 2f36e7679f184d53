"""Schedules by example. C… and Z… were worked by hand, and found by two programs that share no code."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.timetable import Timetable

CRON = [
    ("C1", "cron(0 12 * * ? *)", "2026-01-01T00:00", "2026-01-01T12:00, 2026-01-02T12:00, 2026-01-03T12:00"),
    ("C3", "cron(0 18 ? * MON-FRI *)", "2026-01-01T00:00", "2026-01-01T18:00, 2026-01-02T18:00, 2026-01-05T18:00"),
    ("C5", "cron(0 8 1 * ? *)", "2026-01-01T00:00", "2026-01-01T08:00, 2026-02-01T08:00, 2026-03-01T08:00"),
    ("C7", "cron(*/15 * * * ? *)", "2026-01-01T00:07", "2026-01-01T00:15, 2026-01-01T00:30, 2026-01-01T00:45"),
    ("C9", "cron(0/10 * ? * MON-FRI *)", "2026-01-02T23:45", "2026-01-02T23:50, 2026-01-05T00:00, 2026-01-05T00:10"),
    (
        "C11",
        "cron(0/30 20-2 ? * MON-FRI *)",
        "2026-01-02T23:15",
        "2026-01-02T23:30, 2026-01-05T00:00, 2026-01-05T00:30",
    ),
    ("C13", "cron(15 10 ? * FRIL *)", "2026-01-01T00:00", "2026-01-30T10:15, 2026-02-27T10:15, 2026-03-27T10:15"),
    ("C15", "cron(0 2 ? * SAT#3 *)", "2026-01-01T00:00", "2026-01-17T02:00, 2026-02-21T02:00, 2026-03-21T02:00"),
    ("C17", "cron(0 0 L * ? *)", "2026-01-01T00:00", "2026-01-31T00:00, 2026-02-28T00:00, 2026-03-31T00:00"),
    ("C19", "cron(0 0 LW * ? *)", "2026-01-01T00:00", "2026-01-30T00:00, 2026-02-27T00:00, 2026-03-31T00:00"),
    ("C21", "cron(0 0 1W 8 ? 2026)", "2026-01-01T00:00", "2026-08-03T00:00"),
    ("C23", "cron(0 0 31W * ? *)", "2026-01-01T00:00", "2026-01-30T00:00, 2026-03-31T00:00, 2026-05-29T00:00"),
    ("C25", "cron(0 0 31 * ? *)", "2026-01-01T00:00", "2026-01-31T00:00, 2026-03-31T00:00, 2026-05-31T00:00"),
    ("C27", "cron(0 12 * * ? 2027)", "2026-01-01T00:00", "2027-01-01T12:00, 2027-01-02T12:00, 2027-01-03T12:00"),
    ("C29", "cron(0/5 5 ? JAN 1-5 2022)", "2022-01-01T05:00", "2022-01-02T05:00, 2022-01-02T05:05, 2022-01-02T05:10"),
    (
        "C31",
        "cron(0 0 1 JAN,APR,JUL,OCT ? *)",
        "2026-01-01T00:00",
        "2026-04-01T00:00, 2026-07-01T00:00, 2026-10-01T00:00",
    ),
    ("C33", "cron(0 0 1 */3 ? *)", "2026-01-01T00:00", "2026-04-01T00:00, 2026-07-01T00:00, 2026-10-01T00:00"),
    ("C35", "cron(0 0 ? * FRI-MON *)", "2026-01-01T00:00", "2026-01-02T00:00, 2026-01-03T00:00, 2026-01-04T00:00"),
    ("C37", "cron(0 0 ? * L *)", "2026-01-01T00:00", "2026-01-03T00:00, 2026-01-10T00:00, 2026-01-17T00:00"),
    ("C39", "cron(0 0 1-7 * ? *)", "2026-01-06T12:00", "2026-01-07T00:00, 2026-02-01T00:00, 2026-02-02T00:00"),
    ("C41", "cron(0 0 28-3 * ? *)", "2026-02-27T00:00", "2026-02-28T00:00, 2026-03-01T00:00, 2026-03-02T00:00"),
    ("C43", "cron(0-59/10 0-23/2 ? * * *)", "2026-01-01T01:05", "2026-01-01T02:00, 2026-01-01T02:10, 2026-01-01T02:20"),
    ("C45", "cron(1-31/30 1-1 ? * 1,7 *)", "2026-01-01T00:00", "2026-01-03T01:01, 2026-01-03T01:31, 2026-01-04T01:01"),
    ("C47", "cron(0 0 ? DEC-FEB 2 *)", "2026-02-20T00:00", "2026-02-23T00:00, 2026-12-07T00:00, 2026-12-14T00:00"),
    ("C49", "cron(05 07 * * ? *)", "2026-01-01T00:00", "2026-01-01T07:05, 2026-01-02T07:05, 2026-01-03T07:05"),
    ("C51", "cron(0 0 1 1 ? 2026/2)", "2026-01-01T00:00", "2028-01-01T00:00, 2030-01-01T00:00, 2032-01-01T00:00"),
    (
        "C53",
        "cron(0,30 9,17 ? * TUE,THU *)",
        "2026-01-01T00:00",
        "2026-01-01T09:00, 2026-01-01T09:30, 2026-01-01T17:00",
    ),
]
ZONED = [
    (
        "Z61",
        "cron(30 2 * * ? *)",
        "America/New_York",
        "2026-03-07T00:00",
        "2026-03-07T07:30, 2026-03-09T06:30, 2026-03-10T06:30",
    ),
    (
        "Z63",
        "cron(0 2 * * ? *)",
        "Europe/Berlin",
        "2026-03-28T00:00",
        "2026-03-28T01:00, 2026-03-30T00:00, 2026-03-31T00:00",
    ),
    (
        "Z65",
        "cron(0/30 * * * ? *)",
        "America/New_York",
        "2026-03-08T06:15",
        "2026-03-08T06:30, 2026-03-08T07:00, 2026-03-08T07:30",
    ),
    (
        "Z67",
        "cron(45 1 * * ? *)",
        "Australia/Lord_Howe",
        "2026-04-04T00:00",
        "2026-04-04T14:45, 2026-04-05T15:15, 2026-04-06T15:15",
    ),
    (
        "Z69",
        "cron(0 0 L * ? *)",
        "Asia/Tokyo",
        "2026-01-01T00:00",
        "2026-01-30T15:00, 2026-02-27T15:00, 2026-03-30T15:00",
    ),
    (
        "Z71",
        "cron(0 12 ? * SUN#2 *)",
        "America/Los_Angeles",
        "2026-03-01T00:00",
        "2026-03-08T19:00, 2026-04-12T19:00, 2026-05-10T19:00",
    ),
]
AT = [
    ("A1", "at(2026-06-01T10:00:00)", "UTC", "2026-06-01T10:00"),
    ("A2", "at(2026-06-01T10:00:00)", "America/New_York", "2026-06-01T14:00"),
    ("A3", "at(2026-03-08T02:30:00)", "America/New_York", "2026-03-08T07:30"),
    ("A4", "at(2026-11-01T01:30:00)", "America/New_York", "2026-11-01T05:30"),
]
"""A3 lies in a gap and A4 comes twice."""


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.strip()).replace(tzinfo=UTC)


def instants(texts: str) -> list[datetime]:
    return [instant(text) for text in texts.split(",")]


def first(timetable: Timetable, after: datetime, count: int) -> list[datetime]:
    return list(islice(timetable.occurrences(after), count))


@pytest.mark.parametrize(("expression", "after", "expected"), [row[1:] for row in CRON], ids=[row[0] for row in CRON])
def test_cron(expression, after, expected):
    """In both dialects, as *after* excludes itself.

    Mutations, each tried: see `tests/property/test_schedule_model.py`, which covers more of the same.
    """
    for dialect in ("rule", "scheduler"):
        timetable = Timetable(expression=parse(expression, dialect), anchor=instant(after))
        assert first(timetable, instant(after), len(instants(expected))) == instants(expected)
        assert next(timetable.occurrences(instants(expected)[0]), None) == next(iter(instants(expected)[1:]), None)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"), [row[1:] for row in ZONED], ids=[row[0] for row in ZONED]
)
def test_cron_in_a_zone(expression, zone, after, expected):
    """Mutations, each tried: a skipped time that fires an hour later; the second of two instants."""
    timetable = Timetable(expression=parse(expression), anchor=instant(after), zone=ZoneInfo(zone))
    assert first(timetable, instant(after), 3) == instants(expected)


@pytest.mark.parametrize(("expression", "zone", "expected"), [row[1:] for row in AT], ids=[row[0] for row in AT])
def test_at(expression, zone, expected):
    """Mutations, each tried: a skipped at that is lost; the second of two instants."""
    timetable = Timetable(expression=parse(expression), anchor=instant("2026-01-01"), zone=ZoneInfo(zone))
    assert first(timetable, instant("2026-01-01"), 2) == instants(expected)
    assert first(timetable, instant(expected), 1) == []


def test_an_at_that_is_past_never_fires():
    """A9."""
    timetable = Timetable(expression=parse("at(2025-01-01T00:00:00)"), anchor=instant("2026-01-01"))
    assert first(timetable, instant("2026-01-01"), 1) == []


def test_an_at_heeds_no_dates():
    """Mutation, tried: an end date that ends it."""
    past = instant("2025-01-01")
    timetable = Timetable(expression=parse("at(2026-06-01T10:00:00)"), anchor=past, start=past, end=past)
    assert first(timetable, past, 1) == [instant("2026-06-01T10:00")]


def test_a_rate_counts_from_its_start_date():
    """R1, R3 (whose zone changes its clocks between), R4. Mutation, tried: the anchor counts though there is a date."""
    for rate, zone, start, expected in (
        (
            "rate(5 minutes)",
            "UTC",
            "2026-01-01T00:02:30",
            "2026-01-01T00:02:30, 2026-01-01T00:07:30, 2026-01-01T00:12:30",
        ),
        ("rate(1 day)", "America/New_York", "2026-03-07T14:00", "2026-03-07T14:00, 2026-03-08T14:00, 2026-03-09T14:00"),
        ("rate(7 days)", "UTC", "2026-01-01T00:00", "2026-01-01T00:00, 2026-01-08T00:00, 2026-01-15T00:00"),
    ):
        created = instant("2025-12-31T23:59:59")
        timetable = Timetable(expression=parse(rate), anchor=created, zone=ZoneInfo(zone), start=instant(start))
        assert first(timetable, created, 3) == instants(expected)


def test_a_rate_of_a_rule_begins_an_interval_after_it_was_made():
    """R2; the scheduler's without a date begins at once. Mutation, tried: one first for both."""
    made = instant("2026-01-01T10:17:05")
    expected = instants("2026-01-01T11:17:05, 2026-01-01T12:17:05, 2026-01-01T13:17:05")
    before = made - timedelta(seconds=1)
    assert first(Timetable(expression=parse("rate(1 hour)", "rule"), anchor=made), before, 3) == expected
    assert first(Timetable(expression=parse("rate(1 hour)"), anchor=made), before, 4) == [made, *expected]


def test_a_rate_ends_with_its_end_date():
    """R5."""
    start, end = instant("2026-01-01T10:00"), instant("2026-01-01T12:30")
    timetable = Timetable(expression=parse("rate(1 hour)"), anchor=start, start=start, end=end)
    expected = instants("2026-01-01T10:00, 2026-01-01T11:00, 2026-01-01T12:00")
    assert first(timetable, instant("2025-01-01"), 9) == expected
