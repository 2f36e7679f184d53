"""The heap of what comes due, on virtual time: who is woken, when, and what lies in it no longer than it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from headrace.errors import LedgerUnavailable
from headrace.testing import FakeClock, virtual
from headrace_connectors.schedule.alarms import LONGEST, ROOM, Alarms, Bell
from headrace_connectors.schedule.storetime import StoreTime
from support.engine import Lines


class Store:
    """All of a store that a `StoreTime` asks."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.away = clock, False

    async def now(self) -> float:
        if self.away:
            raise LedgerUnavailable("away", written=False)
        return self.clock.wall()


class Watch:
    """`rings` are what each bell was rung for, and when: seconds from the begin."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.begin = self.now
        self.store = Store(self.clock)
        self.alarms = Alarms(StoreTime(self._opened, self.clock), Lines())  # type: ignore[arg-type]
        self.rings: list[tuple[str, frozenset[str], float]] = []

    async def _opened(self) -> Store:
        return self.store

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall(), UTC)

    def at(self, seconds: float) -> datetime:
        return self.begin + timedelta(seconds=seconds)

    async def listen(self, name: str, bell: Bell) -> None:
        while True:
            names = await bell.rung()
            self.rings.append((name, names, round((self.now - self.begin).total_seconds(), 1)))


@asynccontextmanager
async def watch(*bells: Bell) -> AsyncIterator[Watch]:
    made = Watch()
    tasks = [asyncio.ensure_future(made.listen(f"b{number}", bell)) for number, bell in enumerate(bells)]
    tasks.append(asyncio.ensure_future(made.alarms.run()))
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@virtual
async def test_each_is_woken_when_its_own_is_due_and_for_nothing_else() -> None:
    """Mutations: every bell is rung; an alarm that is set while the timer runs waits for a later one's."""
    one, two = Bell(), Bell()
    async with watch(one, two) as told:
        told.alarms.set(one, "late", told.at(20))
        await asyncio.sleep(1)
        told.alarms.set(one, "x", told.at(5))
        told.alarms.set(one, "y", told.at(5))
        told.alarms.set(two, "x", told.at(7.5))
        await asyncio.sleep(30)
        assert told.rings == [
            ("b0", {"x", "y"}, 5.0),
            ("b1", {"x"}, 7.5),
            ("b0", {"late"}, 20.0),
        ]


@virtual
async def test_what_was_set_anew_or_let_go_of_is_passed_over() -> None:
    """Mutation: whatever comes to the head of the heap is rung for."""
    one, two, gone = Bell(), Bell(), Bell()
    async with watch(one, two, gone) as told:
        for name in ("sooner", "later", "never"):
            told.alarms.set(one, name, told.at(10))
        told.alarms.set(one, "sooner", told.at(5))
        told.alarms.set(one, "later", told.at(15))
        told.alarms.set(one, "never", None)
        told.alarms.set(gone, "x", told.at(8))
        told.alarms.drop(gone)
        told.alarms.set(two, "to and fro", told.at(10))
        told.alarms.set(two, "to and fro", told.at(12))
        told.alarms.set(two, "to and fro", told.at(10))
        await asyncio.sleep(60)
        assert told.rings == [("b0", {"sooner"}, 5.0), ("b1", {"to and fro"}, 10.0), ("b0", {"later"}, 15.0)]


@virtual
async def test_ten_thousand_are_one_timer_and_the_heap_is_no_larger_than_it_must() -> None:
    """Mutations: a timer of each bell; what counts no more stays until its time comes."""
    loop = asyncio.get_running_loop()
    async with watch() as told:
        for _ in range(5):  # buckets come and go
            bells = [Bell() for _ in range(64)]
            for number in range(10_000):
                told.alarms.set(bells[number % 64], str(number), told.at(86_400 + number))
            await asyncio.sleep(1)
            timers = [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
            assert len(timers) <= 2, "the one, and this test's"
            for bell in bells[1:]:
                told.alarms.drop(bell)
        assert len(told.alarms._heap) <= 2 * 10_000 + ROOM


@virtual
async def test_a_stores_time_that_was_set_forward_is_noticed_and_one_that_is_away_waited_for() -> None:
    """Mutations: the timer alone says when; an error of the store ends the alarms."""
    one = Bell()
    async with watch(one) as told:
        told.alarms.set(one, "x", told.at(3600))
        await asyncio.sleep(1)
        told.clock.step(3600)
        await asyncio.sleep(LONGEST + 6)
        (ring,) = told.rings
        assert ring[2] <= 3600 + LONGEST + 7
        told.store.away = True
        told.alarms.set(one, "y", told.now + timedelta(seconds=10))
        await asyncio.sleep(60)
        assert len(told.rings) == 1
        told.store.away = False
        await asyncio.sleep(2)
        assert [ring[1] for ring in told.rings] == [{"x"}, {"y"}]
