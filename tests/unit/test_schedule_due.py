"""Occurrences that are due: what fires of those that are late, beside what runs, and how far spread. All of it pure."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from headrace_connectors.schedule.missed import CatchUp, Missed, decide
from headrace_connectors.schedule.overlap import begin
from headrace_connectors.schedule.spread import delay

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ago(*hours: float) -> list[datetime]:
    return [NOW - hour * HOUR for hour in hours]


LATE = ago(30, 3, 2, 1)
ON_TIME = ago(1 / 60, 0)


def test_what_is_on_time_fires_whatever_the_policy():
    """A minute late is on time. Mutation, tried: late from the first second."""
    for missed in ("latest", "all", "skip"):
        assert decide(ON_TIME, NOW, CatchUp(missed=missed)) == decide(ON_TIME, NOW, CatchUp(always=True))


def test_latest_fires_the_last_of_what_is_late():
    """Mutations, each tried: the first; all; nothing said of the others."""
    found = decide(LATE, NOW, CatchUp())
    assert found.fire == (LATE[3],)
    assert found.missed == (Missed(LATE[0], LATE[0], 1, "catchup_window"), Missed(LATE[1], LATE[2], 2, "latest"))


def test_latest_fires_nothing_late_beside_what_is_on_time():
    """Mutation, tried: both."""
    found = decide([*LATE, *ON_TIME], NOW, CatchUp())
    assert found.fire == tuple(ON_TIME)
    assert found.missed[-1] == Missed(LATE[1], LATE[3], 3, "latest")


def test_all_fires_as_many_as_may_be_caught_up():
    """The last ones. Mutation, tried: the first ones."""
    found = decide([*LATE, *ON_TIME], NOW, CatchUp(missed="all", most=2))
    assert found.fire == (LATE[2], LATE[3], *ON_TIME)
    assert found.missed == (Missed(LATE[0], LATE[0], 1, "catchup_window"), Missed(LATE[1], LATE[1], 1, "max_catchup"))
    assert decide(LATE, NOW, CatchUp(missed="all", window=100 * HOUR)).fire == tuple(LATE)


def test_skip_fires_nothing_late():
    found = decide([*LATE, *ON_TIME], NOW, CatchUp(missed="skip"))
    assert found.fire == tuple(ON_TIME)
    assert found.missed == (Missed(LATE[0], LATE[3], 4, "skip"),)


def test_the_window_includes_its_end():
    """Mutation, tried: exclusive."""
    assert decide(ago(24), NOW, CatchUp()).fire == tuple(ago(24))


def test_an_at_fires_however_late():
    assert decide(ago(10_000), NOW, CatchUp(missed="skip", always=True)).fire == tuple(ago(10_000))


@pytest.mark.parametrize("seed", range(200))
def test_each_occurrence_fires_or_is_missed_and_the_books_balance(seed):
    """Mutation, tried: what on-time ones replace is forgotten."""
    rng = random.Random(seed)
    due = sorted(
        {NOW - timedelta(seconds=rng.choice([30, 3_600, 200_000]) * rng.random()) for _ in range(rng.randint(0, 60))}
    )
    settings = CatchUp(
        missed=rng.choice(["latest", "all", "skip"]), window=rng.random() * 48 * HOUR, most=rng.randint(1, 50)
    )
    found = decide(due, NOW, settings)
    assert len(found.fire) + sum(one.count for one in found.missed) == len(due)
    assert list(found.fire) == sorted(set(found.fire))
    told = [edge for one in found.missed for edge in (one.first, one.last)]
    assert told == sorted(told)
    assert not set(told) & set(found.fire)


@pytest.mark.parametrize(
    ("overlap", "running", "waiting", "expected"),
    [
        ("allow", 5, 5, "now"),
        ("skip", 0, 0, "now"),
        ("skip", 1, 0, "never"),
        ("buffer_one", 0, 0, "now"),
        ("buffer_one", 1, 0, "later"),
        ("buffer_one", 1, 1, "never"),
        ("buffer_one", 0, 1, "never"),
    ],
)
def test_overlap(overlap, running, waiting, expected):
    """Mutation, tried: a second one that waits."""
    assert begin(overlap, running=running, waiting=waiting) == expected


def test_a_delay_is_the_same_for_the_same_and_spread_for_others():
    """Mutations, each tried: chance; one delay for all occurrences; jitter that repeats the window's."""
    none, window, jitter = timedelta(), timedelta(minutes=15), timedelta(seconds=60)
    moments = [NOW + number * HOUR for number in range(2_000)]
    assert {delay("shop/report", at, window=none, jitter=none) for at in moments} == {none}
    some = [delay("shop/report", at, window=window, jitter=none) for at in moments]
    assert some == [delay("shop/report", at, window=window, jitter=none) for at in moments]
    assert some != [delay("shop/report2", at, window=window, jitter=none) for at in moments]
    assert none <= min(some) < timedelta(minutes=1)
    assert timedelta(minutes=14) < max(some) <= window
    below = sum(one < window / 2 for one in some)
    assert 800 < below < 1_200
    both = [delay("shop/report", at, window=window, jitter=jitter) - one for at, one in zip(moments, some, strict=True)]
    assert none <= min(both)
    assert max(both) <= jitter
    alike = sum(abs(more / jitter - one / window) < 0.01 for more, one in zip(both, some, strict=True))
    assert alike < 200
