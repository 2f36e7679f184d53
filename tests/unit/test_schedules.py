"""Schedules over one store, on virtual time: each occurrence once, whoever dies and whatever clocks do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import pytest

from headrace.testing import virtual
from headrace_connectors.schedule.definition import BUCKETS
from support.timetables import Clocks

EVERY_MINUTE = {"schedule_expression": "cron(* * * * ? *)"}


def minutes(first: int, last: int) -> list[str]:
    return [f"2026-01-01T00:{minute:02}:00Z" for minute in range(first, last + 1)]


@virtual
async def test_ten_copies_fire_each_occurrence_once_and_on_time() -> None:
    """Mutation: a bucket that is fired without its lease; a position that is written after its calls."""
    clocks = Clocks()
    copies = [clocks.copy(f"c{number}", EVERY_MINUTE).start() for number in range(10)]
    await asyncio.sleep(5 * 60 + 30)
    assert clocks.times == minutes(1, 5)
    assert all(begun % 60 < 1 for begun in clocks.at)
    for copy in copies:
        await copy.stop()


@virtual
async def test_a_copy_that_is_killed_is_followed_and_nothing_is_missed() -> None:
    """Mutation: a takeover that begins at now; an occurrence that was begun and is not run again."""
    clocks = Clocks()
    one = clocks.copy("a", EVERY_MINUTE).start()
    await asyncio.sleep(65)

    async def dies(_: Any, context: Any) -> None:
        if context.headrace.attempt == 1:
            await asyncio.sleep(3600)

    clocks.behave = dies
    await asyncio.sleep(60)
    assert clocks.times == minutes(1, 2)
    await one.kill()
    two = clocks.copy("b", EVERY_MINUTE).start()
    await asyncio.sleep(30)
    assert clocks.times == [*minutes(1, 2), *minutes(2, 2)], "what was at the handler runs again"
    (_, event, first, _), (_, again, second, attempt) = clocks.begun[1:]
    assert (event, first, attempt) == (again, second, 2), "with the same id, and its attempt counts"
    await two.stop()


@virtual
async def test_what_was_missed_while_nobody_was_there_is_caught_up_by_the_policy() -> None:
    """Mutation: a policy that is not asked; a miss that is not recorded."""
    for missed, fired, count in (
        ("latest", ["00:11"], 9),
        ("all", [f"00:{m:02}" for m in range(2, 12)], 0),
        ("skip", [], 9),
    ):
        clocks = Clocks()
        source = {**EVERY_MINUTE, "missed": missed}
        one = clocks.copy("a", source).start()
        await asyncio.sleep(65)
        await one.stop()
        await asyncio.sleep(10 * 60)
        two = clocks.copy("b", source).start()
        await asyncio.sleep(20)
        late = [time[11:16] for time in clocks.times[1:]]
        on_time = ["00:11"] if missed == "skip" else []
        assert late == (on_time or fired), missed
        known = (await clocks.remembered())["m"]
        assert known.missed == count, missed
        if count:
            assert sum(line["count"] for line in two.told.of("schedule.missed")) == count
            assert known.missed_why
        await two.stop()


@virtual
@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_step_of_the_machines_clock_doubles_nothing(step: float) -> None:
    """Forward: what lies between is late, and the policy says what fires. Back: nothing fires twice, and what comes due
    once the clock is there again fires. Mutation, tried: an alarm that has come to lie far ahead is dropped."""
    clocks = Clocks()
    one = clocks.copy("a", EVERY_MINUTE).start()
    await asyncio.sleep(3 * 60 + 30)
    clocks.clock.step(step)
    await asyncio.sleep(3700 if step < 0 else 125)
    assert not clocks.repeats
    known = (await clocks.remembered())["m"]
    until = 65 if step > 0 else 5
    assert len(clocks.times) + known.missed == until, "every occurrence fired, or is recorded"
    await one.stop()


@virtual
async def test_two_machines_whose_clocks_differ_by_a_minute_fire_once_and_by_the_stores() -> None:
    """Mutation: the machine's own clock says what is due."""
    clocks = Clocks()
    copies = [clocks.copy("a", EVERY_MINUTE, ahead=60.0), clocks.copy("b", EVERY_MINUTE, ahead=-60.0)]
    for copy in copies:
        copy.start()
        await asyncio.sleep(20)
    await asyncio.sleep(4 * 60)
    assert not clocks.repeats
    assert clocks.times == minutes(1, len(clocks.times))
    assert all(begun % 60 < 1 for begun in clocks.at)
    for copy in copies:
        await copy.stop()


@virtual
async def test_a_rate_counts_from_its_first_start_over_restarts_until_it_is_changed() -> None:
    """Mutation: an anchor of each start."""
    clocks = Clocks(begin="2026-01-01T00:00:30Z")
    one = clocks.copy("a", {"schedule_expression": "rate(5 minutes)"}).start()
    await asyncio.sleep(11 * 60)
    assert [time[11:19] for time in clocks.times] == [
        time[11:19] for time in clocks.times if time[17:19] == clocks.times[0][17:19]
    ]
    assert len(clocks.times) == 3, "at once, and each five minutes later"
    await one.stop()
    second = clocks.times[0][17:19]
    two = clocks.copy("b", {"schedule_expression": "rate(5 minutes)"}).start()
    await asyncio.sleep(10 * 60)
    assert len(clocks.times) == 5
    assert {time[17:19] for time in clocks.times} == {second}
    await two.stop()
    three = clocks.copy("c", {"schedule_expression": "rate(10 minutes)"}).start()
    await asyncio.sleep(60)
    assert len(clocks.times) == 6, "another definition begins anew"
    await three.stop()


@virtual
async def test_a_handler_that_fails_is_retried_twice_and_given_up_with_one_request_id() -> None:
    """Mutation: a request id of each attempt; 185 attempts."""
    clocks = Clocks()

    async def fails(_: Any, __: Any) -> None:
        raise ValueError("boom")

    clocks.behave = fails
    one = clocks.copy("a", {"schedule_expression": "at(2026-01-01T00:01:00)"}).start()
    await asyncio.sleep(3600)
    assert [attempt for *_, attempt in clocks.begun] == [1, 2, 3]
    assert len({request for _, _, request, _ in clocks.begun}) == 1
    gaps = [later - earlier for earlier, later in zip(clocks.at, clocks.at[1:], strict=False)]
    assert [round(gap / 60) for gap in gaps] == [1, 2]
    tally = one.mapping.tallies["invocations"]
    assert (tally.polled, tally.returned, tally.dropped) == (3, 2, 1)
    assert one.told.of("records.dropped")
    await one.stop()


@virtual
@pytest.mark.parametrize(("overlap", "runs", "missed"), [("allow", 6, 0), ("skip", 3, 3), ("buffer_one", 4, 1)])
async def test_what_comes_while_the_one_before_runs(overlap: str, runs: int, missed: int) -> None:
    """Runs of 90 s, each minute, for six minutes."""
    clocks = Clocks()

    async def slow(_: Any, __: Any) -> None:
        await asyncio.sleep(90)

    clocks.behave = slow
    one = clocks.copy("a", {**EVERY_MINUTE, "overlap": overlap}).start()
    await asyncio.sleep(6 * 60 + 30)
    known = (await clocks.remembered())["m"]
    assert (len(clocks.begun), known.missed) == (runs, missed)
    if overlap != "allow":
        assert all(later - earlier >= 90 for earlier, later in zip(clocks.at, clocks.at[1:], strict=False))
    await one.stop()


@virtual
async def test_a_pause_fires_nothing_and_what_was_missed_then_is_told() -> None:
    """Mutation: a pause that only stops the buckets, or only the handler."""
    clocks = Clocks()
    one = clocks.copy("a", EVERY_MINUTE).start()
    await asyncio.sleep(65)
    await clocks.store.pause("m", paused=True)
    await asyncio.sleep(10 * 60)
    assert clocks.times == minutes(1, 1)
    await clocks.store.pause("m", paused=False)
    await asyncio.sleep(30)
    assert len(clocks.times) == 2
    assert (await clocks.remembered())["m"].missed == 9
    await one.stop()


@virtual
async def test_a_store_that_is_away_loses_no_occurrence_and_doubles_none() -> None:
    """Mutation: a commit that is decided anew after a lost answer."""
    clocks = Clocks()
    source = {**EVERY_MINUTE, "missed": "all"}
    copies = [clocks.copy(name, source).start() for name in "ab"]
    await asyncio.sleep(65)
    clocks.store.away = True
    await asyncio.sleep(5 * 60)
    clocks.store.away = False
    await asyncio.sleep(60)
    assert sorted(clocks.times) == minutes(1, 7)
    for copy in copies:
        await copy.stop()


@virtual
async def test_what_is_due_before_a_bucket_is_first_looked_at_fires() -> None:
    """A first graph takes some looks. Mutation: a schedule that begins when its bucket is first held."""
    clocks = Clocks(begin="2026-01-01T00:00:58Z")
    one = clocks.copy("a", {"schedule_expression": "at(2026-01-01T00:00:59)"}).start()
    await asyncio.sleep(60)
    assert clocks.times == ["2026-01-01T00:00:59Z"]
    await one.stop()


@virtual
async def test_one_that_fires_late_by_its_jitter_is_no_older_for_that() -> None:
    """Mutation: an age from when it was put into the queue: given up before its first attempt."""
    clocks = Clocks()
    source = {"schedule_expression": "at(2026-01-01T00:01:00)", "jitter": 1800}
    one = clocks.copy("a", source, maximum_record_age_in_seconds=60).start()
    await asyncio.sleep(1900)
    assert clocks.times == ["2026-01-01T00:01:00Z"]
    assert clocks.at[0] > datetime(2026, 1, 1, 0, 3, tzinfo=UTC).timestamp(), "else this shows nothing"
    await one.stop()


@virtual
async def test_ages_go_by_the_stores_clock() -> None:
    """Mutation: the age of a call by the clock of who takes it, which is ahead."""
    clocks = Clocks()
    one = clocks.copy("a", EVERY_MINUTE, ahead=3600.0, maximum_record_age_in_seconds=60).start()
    await asyncio.sleep(3 * 60 + 30)
    assert clocks.times == minutes(1, 3)
    await one.stop()


@virtual
async def test_what_is_buffered_waits_for_the_retries_of_the_one_before() -> None:
    """Mutation: a group that is free between two attempts."""
    clocks = Clocks()

    async def fails_once(event: Any, context: Any) -> None:
        if event["time"] == minutes(1, 1)[0] and context.headrace.attempt == 1:
            raise ValueError("boom")

    clocks.behave = fails_once
    backoff = {"initial": 90, "maximum": 300}
    one = clocks.copy("a", {**EVERY_MINUTE, "overlap": "buffer_one"}, retry_backoff=backoff).start()
    await asyncio.sleep(4 * 60)
    assert clocks.times[:3] == [*minutes(1, 1), *minutes(1, 1), *minutes(2, 2)]
    await one.stop()


@virtual
async def test_a_pause_is_its_condition() -> None:
    """Mutation: it is shown as polling, as its queue is."""
    clocks = Clocks()
    one = clocks.copy("a", EVERY_MINUTE).start()
    await asyncio.sleep(10)
    assert one.mapping.condition.state == "polling"
    await clocks.store.pause("m", paused=True)
    await asyncio.sleep(10)
    assert one.mapping.condition.state == "paused"
    await one.stop()


@virtual
async def test_a_new_schedule_misses_nothing_unrecorded_while_a_copy_with_the_old_config_holds_its_bucket() -> None:
    """A rolling deploy. Mutation: it begins when the bucket is taken."""
    minute = {"schedule_expression": "cron(* * * * ? *)"}
    bucket = crc32(b"m/old") % BUCKETS
    new = next(name for name in map(str, range(10_000)) if crc32(f"m/{name}".encode()) % BUCKETS == bucket)
    clocks = Clocks()
    former = clocks.copy("a", {"schedules": {"old": minute}}).start()
    await asyncio.sleep(30)
    later = clocks.copy("b", {"schedules": {"old": minute, new: minute}}).start()
    await asyncio.sleep(5 * 60)
    await former.stop()
    await asyncio.sleep(60)
    known = (await clocks.remembered())[f"m/{new}"]
    runs = [event for _, event, *_ in clocks.begun if event["resources"][0].endswith(f"/{new}")]
    assert known.missed + len(runs) == 6
    assert len(runs) >= 1
    await later.stop()
