"""The queues of calls of the three stores pass one suite; Redis is a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.calls import Waiting
from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.sqlite import open_sqlite
from headrace.testing import on_virtual_time
from headrace.testing.calls import CallsConformance
from headrace.testing.calls_steps import call, ids
from support.handclock import HandClock
from support.stores import InMemory, InRedis, InSqlite


@on_virtual_time
class TestMemoryCalls(InMemory, CallsConformance):
    pass


class TestSqliteCalls(InSqlite, CallsConformance):
    pass


class TestRedisCalls(InRedis, CallsConformance):
    pass


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_step_of_the_clock_ends_no_taking(tmp_path: Path, kind: str, step: float):
    """What comes due goes by the wall. Catches: an expiry by the wall clock, a due time by the other."""
    clock = HandClock()
    ledger: Ledger = MemoryLedger(clock)
    if kind == "sqlite":
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{tmp_path}/state.db", service="shop", clock=clock))
    await ledger.put("m", [call("a"), call("later", due=await ledger.now() + 1800)])
    (taken,) = await ledger.take("m", "w", 10, 60)
    clock.stepped += step
    assert ids(await ledger.take("m", "other", 10, 60)) == (["later"] if step > 0 else [])
    clock.now += 59
    assert await ledger.hold([taken], 60) == set()
    clock.now += 59
    assert (await ledger.waiting("m")).taken == 1
    clock.stepped -= step
    assert await ledger.settle([taken]) == set()
    assert (await ledger.waiting("m")).total == 1
    clock.now += 1800
    assert ids(await ledger.take("m", "w", 10, 60)) == ["later"]
    assert await ledger.waiting("m") == Waiting(taken=1)
    await ledger.close()
