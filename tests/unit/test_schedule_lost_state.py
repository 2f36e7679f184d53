"""Schedules whose store is emptied under them, on virtual time: what waited in the queue is put again, or recorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from headrace.testing import virtual
from headrace_connectors.schedule.remembered import KEPT
from support.timetables import Clocks

EVERY_MINUTE = {"schedule_expression": "cron(* * * * ? *)"}
LATER = {**EVERY_MINUTE, "jitter": 1200}
"""What fires waits in the queue for up to twenty minutes."""


@virtual
async def test_what_waited_in_a_store_that_was_emptied_is_put_again() -> None:
    """Mutations: positions that are written back as they were; a mend that puts nothing."""
    clocks = Clocks()
    copies = [clocks.copy(name, LATER).start() for name in "ab"]
    await asyncio.sleep(30 * 60 + 30)
    begun = len(clocks.times)
    assert begun < 30, "else nothing waits, and this shows nothing"
    clocks.store.flush()
    await asyncio.sleep(25 * 60)
    counts = Counter(clocks.times)
    assert {f"2026-01-01T00:{minute:02}:00Z" for minute in range(1, 31)} <= counts.keys()
    assert set(counts.values()) == {1}, "what had ended was put again"
    assert any(copy.told.of("schedule.put_again") for copy in copies)
    assert (await clocks.remembered())["m"].missed == 0
    for copy in copies:
        await copy.stop()


@virtual
async def test_who_takes_a_bucket_over_knows_what_the_one_before_put() -> None:
    """Mutation: what was put is kept in the memory of who put it alone."""
    clocks = Clocks()
    one = clocks.copy("a", LATER).start()
    await asyncio.sleep(10 * 60 + 30)
    await one.kill()
    two = clocks.copy("b", LATER).start()
    await asyncio.sleep(60)
    clocks.store.flush()
    await asyncio.sleep(25 * 60)
    counts = Counter(clocks.times)
    assert {f"2026-01-01T00:{minute:02}:00Z" for minute in range(1, 12)} <= counts.keys()
    assert set(counts.values()) == {1}
    await two.stop()


@virtual
@pytest.mark.parametrize("copies", ["a", "abc"])
async def test_what_is_at_a_handler_goes_on_and_what_has_ended_is_not_begun(copies: str) -> None:
    """Another copy cannot know that it runs: it may begin it beside the first. Mutations: no look at what has ended; a
    call that is at work in the same copy is begun beside itself."""
    clocks = Clocks()

    async def long_once(event: Any, _: Any) -> None:
        if event["time"] == "2026-01-01T00:02:00Z":
            await asyncio.sleep(300)

    clocks.behave = long_once
    running = [clocks.copy(name, EVERY_MINUTE).start() for name in copies]
    await asyncio.sleep(2 * 60 + 30)
    clocks.store.flush()
    await asyncio.sleep(10 * 60)
    doubled = {"2026-01-01T00:02:00Z": 2}
    assert clocks.repeats in ([{}] if len(copies) == 1 else [{}, doubled])
    assert await clocks.store.unfinished("m", ["m"]) == {}
    assert sum(one.mapping.tallies["invocations"].failed_deletes for one in running) == len(clocks.repeats)
    for one in running:
        await one.stop()


@virtual
async def test_what_is_too_much_to_be_kept_is_recorded_as_missed() -> None:
    """Mutation: those beyond the bound are forgotten."""
    clocks = Clocks()
    source = {**EVERY_MINUTE, "jitter": 86400}
    one = clocks.copy("a", source, maximum_record_age_in_seconds=-1).start()
    fired = KEPT + 50
    await asyncio.sleep(fired * 60 + 30)
    clocks.store.flush()
    await asyncio.sleep(120)
    (told,) = one.told.of("schedule.missed")
    known = (await clocks.remembered())["m"]
    assert (known.missed, known.missed_why) == (told["count"], "state_lost")
    waiting = (await clocks.store.unfinished("m", ["m"]))["m"]
    assert len(clocks.times) + waiting + known.missed == fired + 2
    assert 0 < known.missed <= 50
    await one.stop()


@virtual
async def test_one_that_was_changed_meanwhile_is_put_again_too() -> None:
    """Mutation: what fired under the former definition is forgotten with it."""
    clocks = Clocks()
    one = clocks.copy("a", LATER).start()
    await asyncio.sleep(10 * 60 + 30)
    await one.stop()
    two = clocks.copy("b", {**LATER, "schedule_expression": "cron(30 5 * * ? *)"}).start()
    await asyncio.sleep(30)
    clocks.store.flush()
    await asyncio.sleep(25 * 60)
    assert Counter(clocks.times) == Counter(f"2026-01-01T00:{minute:02}:00Z" for minute in range(1, 11))
    await two.stop()


@virtual
@pytest.mark.parametrize("passes", [3, 90])
async def test_what_an_older_copy_of_the_store_has_not_is_decided_anew(passes: float) -> None:
    """As after a failover to a replica that lagged by *passes* seconds, while the lease goes on, or not. Mutation: a
    commit that does not look what it follows."""
    clocks = Clocks()
    one = clocks.copy("a", {**LATER, "missed": "all"}).start()
    await asyncio.sleep(10 * 60 - 2)
    older = clocks.store.copy()
    await asyncio.sleep(passes)
    clocks.store.fail_over(older)
    await asyncio.sleep(30 * 60)
    counts = Counter(clocks.times)
    assert {f"2026-01-01T00:{minute:02}:00Z" for minute in range(1, 20)} <= counts.keys()
    assert one.told.of("lease.lost")
    await one.stop()
