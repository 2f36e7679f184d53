"""The verdicts of the three stores pass one suite; Redis is a real one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.sqlite import open_sqlite
from headrace.testing import on_virtual_time
from headrace.testing.verdicts import VerdictsConformance
from headrace.verdicts import State
from headrace_connectors.redis.ledger import open_redis
from support.handclock import HandClock
from support.redis import Cluster, Valkey
from support.stores import InMemory, InRedis, InSqlite


@on_virtual_time
class TestMemoryVerdicts(InMemory, VerdictsConformance):
    pass


class TestSqliteVerdicts(InSqlite, VerdictsConformance):
    pass


class TestRedisVerdicts(InRedis, VerdictsConformance):
    pass


async def test_in_a_cluster_all_lies_in_one_slot():
    """Catches: a key of the scripts without the mapping's tag."""
    with Cluster() as cluster:
        ledger = await open_redis(LedgerOpening(url=cluster.url, service="shop"))
        for mapping in ("a", "b", "c", "d"):
            assert (await ledger.begin(mapping, ["k"], "w 1", 60.0))["k"].state is State.BEGUN
            assert await ledger.finish(mapping, ["k"], "w 1", 60.0) == set()
            assert (await ledger.begin(mapping, ["k"], "w 2", 60.0))["k"].state is State.DONE
        await ledger.close()


async def opened(kind: str, folder: Path, clock: HandClock) -> Ledger:
    if kind == "memory":
        return MemoryLedger(clock)
    return await open_sqlite(LedgerOpening(url=f"sqlite:{folder}/state.db", service="shop", clock=clock))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("step", [3600.0, -3600.0])
async def test_a_step_of_the_clock_ends_no_hold(tmp_path: Path, kind: str, step: float):
    """A verdict goes by the wall. Catches: a hold by the wall clock, a verdict by the other."""
    clock = HandClock()
    ledger = await opened(kind, tmp_path, clock)
    await ledger.begin("m", ["held", "done"], "w 1", 60.0)
    await ledger.finish("m", ["done"], "w 1", 1800.0)
    clock.stepped += step
    clock.now += 59
    found = await ledger.begin("m", ["held", "done"], "w 2", 60.0)
    assert found["held"].state is State.HELD
    assert found["done"].state is (State.BEGUN if step > 0 else State.DONE)
    clock.now += 2
    assert (await ledger.begin("m", ["held"], "w 3", 60.0))["held"].state is State.BEGUN
    await ledger.close()


@pytest.mark.parametrize("boot", ["0", "zz"])
async def test_a_boot_ends_every_hold_and_no_verdict(tmp_path: Path, boot: str):
    """Catches: a boot clock that is compared with that of another boot, whichever name sorts first."""
    ledger = await opened("sqlite", tmp_path, HandClock())
    await ledger.begin("m", ["held", "done"], "w 1", 600.0)
    await ledger.finish("m", ["done"], "w 1", 600.0)
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        connection.execute("UPDATE verdicts SET boot = ?", (boot,))
        connection.execute("UPDATE verdicts SET expires = 1e12 WHERE NOT done")
    found = await ledger.begin("m", ["held", "done"], "w 2", 600.0)
    assert (found["held"].state, found["done"].state) == (State.BEGUN, State.DONE)
    await ledger.close()


@pytest.fixture
def valkey() -> Iterator[Callable[[], Valkey]]:
    """Starts one; it ends with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Valkey())


async def entries(ledger: Ledger, folder: Path, server: Valkey | None) -> int:
    if isinstance(ledger, MemoryLedger):
        return len(ledger._rows._remembered["m"].entries)
    if server is not None:
        return int(server.ask("HLEN", "headrace:{shop/m}:verdicts")[1:])
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM verdicts").fetchone()[0])


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
async def test_what_has_expired_is_removed_piece_by_piece(tmp_path: Path, kind: str, valkey: Callable[[], Valkey]):
    """Verdicts, and holds of the dead. Catches: a store that grows for ever, and one that stops to clear up."""
    clock, server = HandClock(), valkey() if kind == "redis" else None
    if server is None:
        ledger = await opened(kind, tmp_path, clock)
    else:
        ledger = await open_redis(LedgerOpening(url=server.url, service="shop"))
    keys = [str(number) for number in range(200)]
    await ledger.begin("m", keys, "w 1", 0.2)
    await ledger.finish("m", keys[:100], "w 1", 0.2)
    clock.now += 1
    await asyncio.sleep(0.3)
    sizes = []
    for number in range(12):
        await ledger.begin("m", [f"new {number}"], "w 2", 600.0)
        sizes.append(await entries(ledger, tmp_path, server))
    assert sizes[0] > 100
    assert sizes[-1] == 12
    await ledger.close()
