"""The virtual loop: time jumps to the next timer, and never stands still for what goes round and round."""

from __future__ import annotations

import asyncio

import pytest

from headrace.testing import FakeClock, virtual
from headrace.testing.clock import START, DeadlockError, run


@virtual
async def test_hours_pass_at_once():
    await asyncio.sleep(36_000)
    assert FakeClock().boot() == START + 36_000


@virtual
async def test_time_passes_for_what_waits_for_a_hair():
    """Mutation: no time passes between turns: what a rounded float misses by a hair is waited for without end."""
    clock = FakeClock()
    due = clock.boot() + 1e-13  # too little to be added to the loop's own time
    while clock.boot() < due:
        try:
            async with asyncio.timeout(due - clock.boot()):
                await asyncio.Event().wait()
        except TimeoutError:
            pass
    assert clock.boot() == pytest.approx(due)


def test_what_can_never_come_is_a_deadlock(monkeypatch):
    monkeypatch.setattr("headrace.testing.clock.PATIENCE", 0.01)
    with pytest.raises(DeadlockError):
        run(asyncio.Event().wait())
