"""The virtual loop: time jumps to the next timer, and never stands still for what goes round and round."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from headrace.testing import FakeClock, virtual
from headrace.testing.clock import START, DeadlockError, run


@virtual
async def test_hours_pass_at_once():
    await asyncio.sleep(36_000)
    assert FakeClock().boot() == START + 36_000


@virtual
async def test_time_passes_for_several_that_wait_for_a_hair():
    """Mutation: no time passes between turns. A timer may fire a nanosecond early; while others run, time stands."""
    clock = FakeClock()
    due = clock.boot() + 2e-13

    async def wait() -> None:
        while clock.boot() < due:
            with suppress(TimeoutError):
                async with asyncio.timeout(due - clock.boot()):
                    await asyncio.Event().wait()

    await asyncio.gather(*[wait() for _ in range(4)], sleepless(wait))
    assert clock.boot() == pytest.approx(due)


async def sleepless(wait: Callable[[], Awaitable[None]]) -> None:
    """Out of step with the others."""
    await asyncio.sleep(0)
    await wait()


def test_what_can_never_come_is_a_deadlock(monkeypatch):
    monkeypatch.setattr("headrace.testing.clock.PATIENCE", 0.01)
    with pytest.raises(DeadlockError):
        run(asyncio.Event().wait())
