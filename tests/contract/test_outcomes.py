"""What the three stores keep of records passes one suite; Redis is a real one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.outcomes import KeptOutcome
from headrace.sqlite import open_sqlite
from headrace.testing import on_virtual_time
from headrace.testing.outcomes import OutcomesConformance
from headrace_connectors.redis.ledger import open_redis
from support.handclock import HandClock
from support.redis import Cluster, Valkey
from support.stores import InMemory, InRedis, InSqlite


@on_virtual_time
class TestMemoryOutcomes(InMemory, OutcomesConformance):
    pass


class TestSqliteOutcomes(InSqlite, OutcomesConformance):
    pass


class TestRedisOutcomes(InRedis, OutcomesConformance):
    pass


def one(name: str, *records: str) -> KeptOutcome:
    return KeptOutcome(name=name, records=records, text="")


async def test_in_a_cluster_all_lies_in_one_slot():
    """Catches: a key of the scripts without the mapping's tag."""
    with Cluster() as cluster:
        ledger = await open_redis(LedgerOpening(url=cluster.url, service="shop"))
        for mapping in ("a", "b", "c", "d"):
            await ledger.keep(mapping, "l", one("o", "r"), 60.0)
            assert len(await ledger.kept(mapping, "l", ["r"])) == len(await ledger.kept(mapping, "l", None)) == 1
            await ledger.drop(mapping, "l", ["r"])
            assert await ledger.kept(mapping, "l", None) == []
        await ledger.close()


@pytest.fixture
def valkey() -> Iterator[Callable[[], Valkey]]:
    """Starts one; it ends with the test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Valkey())


async def sizes(ledger: Ledger, folder: Path, server: Valkey | None) -> int:
    """All that lies there, whatever for."""
    if isinstance(ledger, MemoryLedger):
        kept = ledger._rows._outcomes["m"]
        return len(kept.outcomes) + len(kept.records)
    if server is not None:
        hash_, ends = (f"headrace:{{shop/m}}:{name}" for name in ("outcomes", "outcomeends"))
        return int(server.ask("HLEN", hash_)[1:]) + int(server.ask("ZCARD", ends)[1:])
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        both = "(SELECT count(*) FROM outcomes) + (SELECT count(*) FROM outcome_records)"
        return int(connection.execute(f"SELECT {both}").fetchone()[0])


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
async def test_what_has_ended_is_removed_piece_by_piece_and_what_was_dropped_at_once(
    tmp_path: Path, kind: str, valkey: Callable[[], Valkey]
):
    """Catches: a store that grows for ever."""
    clock, server = HandClock(), valkey() if kind == "redis" else None
    if server is not None:
        ledger: Ledger = await open_redis(LedgerOpening(url=server.url, service="shop"))
    elif kind == "memory":
        ledger = MemoryLedger(clock)
    else:
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{tmp_path}/state.db", service="shop", clock=clock))
    for number in range(60):
        await ledger.keep("m", f"l{number % 3}", one(f"o{number}", f"a{number}", f"b{number}"), 1.0)
    before = await sizes(ledger, tmp_path, server)
    clock.now += 2
    await asyncio.sleep(1.1 if server else 0)
    await ledger.keep("m", "l", one("new", "n"), 600.0)
    assert 0 < await sizes(ledger, tmp_path, server) < before
    for _ in range(3):
        await ledger.keep("m", "l", one("new", "n"), 600.0)
    await ledger.drop("m", "l", ["n"])
    assert await sizes(ledger, tmp_path, server) == 0
    await ledger.close()
