"""Which occurrences fire, and which are missed: pure decisions; and what a bucket remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.due import Decided, decide, delay
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.missed import Missed
from headrace_connectors.schedule.options import ScheduleSettings
from headrace_connectors.schedule.remembered import Remembered, begin, read, recalled, write
from headrace_connectors.schedule.zones import zone

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def definition(expression: str = "cron(* * * * ? *)", **settings: Any) -> Definition:
    one = ScheduleSettings(schedule_expression=expression, **settings)
    return Definition(
        name="m", settings=one, expression=parse(expression), zone=zone("UTC", ""), arn="arn:m", region="eu-central-1"
    )


def known(one: Definition, last: datetime) -> Remembered:
    return Remembered(digest=one.digest, anchor=last, last=last)


def after(minutes: float, *, unfinished: int = 0, expression: str = "cron(* * * * ? *)", **settings: Any) -> Decided:
    """What is decided so many minutes after the last look, which was at noon."""
    one = definition(expression, **settings)
    return decide(one, known(one, NOON), NOON + timedelta(minutes=minutes), unfinished)


def fired(decided: Decided) -> list[int]:
    """Minutes after noon."""
    return [round((at - NOON).total_seconds() / 60) for at in decided.fire]


def test_what_is_on_time_fires_whatever_the_policy() -> None:
    """Mutation: 59 s late is late."""
    for missed in ("latest", "all", "skip"):
        decided = after(1.98, missed=missed)
        assert (fired(decided), decided.missed) == ([1], [])
        assert decided.next == NOON + timedelta(minutes=2)
        assert decided.remembered.last == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("missed", "fires", "count"), [("latest", [10], 9), ("all", list(range(1, 11)), 0), ("skip", [10], 9)]
)
def test_after_ten_minutes_of_nobody(missed: str, fires: list[int], count: int) -> None:
    """The tenth is on time. Mutation: a late one beside one that is on time, with latest."""
    decided = after(10.5, missed=missed)
    assert fired(decided) == fires
    assert decided.remembered.missed == count
    assert decided.remembered.last == NOON + timedelta(minutes=10)


def test_the_latest_of_late_ones_fires_where_none_is_on_time() -> None:
    daily = "cron(1 12 * * ? *)"
    assert fired(after(60, expression=daily, missed="latest")) == [1]
    assert fired(after(60, expression=daily, missed="skip")) == []


def test_what_is_older_than_the_window_is_missed_for_good() -> None:
    """Mutation: a window that is not applied to `all`; a miss without a record."""
    decided = after(10.5, missed="all", catchup_window=300)
    assert fired(decided) == [6, 7, 8, 9, 10]
    assert [(run.count, run.reason) for run in decided.missed] == [(5, "catchup_window")]
    assert (decided.remembered.missed, decided.remembered.missed_why) == (5, "catchup_window")


def test_a_century_of_nobody_is_told_in_bounds() -> None:
    """Mutation: each of fifty million occurrences is looked at."""
    decided = after(60 * 24 * 365 * 100 + 0.5, missed="latest")
    assert len(decided.fire) == 1
    assert decided.remembered.missed >= 10_000
    assert decided.missed[0].last == NOON + timedelta(minutes=60 * 24 * 365 * 100 + 0.5) - timedelta(days=1)


def test_all_is_limited_to_the_newest() -> None:
    decided = after(10.5, missed="all", max_catchup=3)
    assert fired(decided) == [7, 8, 9, 10]
    assert decided.remembered.missed == 6


def test_an_at_always_fires_once() -> None:
    """Mutation: a one-shot that is older than the window is dropped."""
    one = "at(2026-01-01T12:00:30)"
    for settings in ({}, {"missed": "skip"}, {"catchup_window": 0}, {"overlap": "skip"}):
        decided = after(60 * 24 * 30, unfinished=2, expression=one, **settings)
        assert decided.fire == [NOON + timedelta(seconds=30)]
        assert decided.next is None
    again = decide(definition(one), decided.remembered, NOON + timedelta(days=60), 0)
    assert again.fire == []


@pytest.mark.parametrize(
    ("overlap", "unfinished", "count"),
    [("allow", 9, 3), ("skip", 0, 1), ("skip", 1, 0), ("buffer_one", 0, 2), ("buffer_one", 1, 1), ("buffer_one", 2, 0)],
)
def test_beside_those_that_have_not_ended(overlap: str, unfinished: int, count: int) -> None:
    decided = after(3.5, unfinished=unfinished, overlap=overlap, missed="all")
    assert len(decided.fire) == count
    assert decided.remembered.missed == 3 - count


def test_a_definition_that_was_changed_begins_anew_and_another_name_does_not() -> None:
    """Mutation: a digest that leaves out the zone."""
    one, other = definition(), definition(schedule_expression_timezone="Europe/Berlin")
    kept = {"m": known(one, NOON)}
    later = NOON + timedelta(hours=1)
    assert recalled(kept, one, later).last == NOON
    assert recalled(kept, other, later) == begin(other, later)
    assert recalled(kept, definition(missed="all"), later).last == NOON, "a policy is no other timetable"


def test_what_a_bucket_remembers_is_read_as_it_was_written() -> None:
    gone = [Missed(NOON, NOON, 1, "overlap")]
    one = known(definition(), NOON).after(NOON + timedelta(microseconds=1), gone)
    assert read(write({"m": one, "m/é": one})) == {"m": one, "m/é": one}
    assert read("") == {}


def test_a_delay_is_within_its_window_and_always_the_same() -> None:
    """Mutation: a delay by chance: another copy would fire it at another moment."""
    window = {"mode": "FLEXIBLE", "maximum_window_in_minutes": 15}
    one = definition(flexible_time_window=window)
    delays = [delay(one, NOON + timedelta(minutes=minute)) for minute in range(1000)]
    assert all(0 <= seconds < 900 for seconds in delays)
    assert len(set(delays)) > 900
    assert delays == [delay(one, NOON + timedelta(minutes=minute)) for minute in range(1000)]
    assert delay(definition(), NOON) == 0


def test_a_wide_window_is_searched_in_bounds_and_the_newest_fire() -> None:
    """Mutation: half a million occurrences are decided on one by one; too few of the newest are looked at."""
    year = 60 * 24 * 365
    decided = after(year + 0.5, missed="all", catchup_window=366 * 86400, max_catchup=10_000)
    assert fired(decided) == list(range(year - 9_999 - 1, year + 1))[-len(decided.fire) :]
    assert len(decided.fire) >= 10_000
    assert len(decided.missed) <= 3
    assert decided.remembered.last == NOON + timedelta(minutes=year)
