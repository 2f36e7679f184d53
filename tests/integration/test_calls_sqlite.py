"""SQLite's queues of calls on real files: older formats, other boots, locks, and what a look at a long queue costs."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headrace.calls import Call, Waiting
from headrace.errors import LedgerError
from headrace.ledger import LedgerOpening, Mark
from headrace.outcomes import KeptOutcome
from headrace.sqlite import SqliteLedger, open_sqlite
from headrace.sqliteformat import FORMAT
from headrace.verdicts import State

OLD = Path(__file__).parents[1] / "support" / "ledger_format_1.sql"


async def opened(path: Path, service: str = "shop") -> SqliteLedger:
    return await open_sqlite(LedgerOpening(url=f"sqlite:{path}", service=service))


def call(id_: str, **fields) -> Call:
    return Call(id=id_, event="{}", **fields)


def older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(OLD.read_text())


async def test_a_file_of_format_1_is_brought_up_to_date(tmp_path: Path):
    """By one of several that open it at once. Catches: tables that only a new file gets, rows that are lost."""
    path = tmp_path / "state.db"
    older(path)
    ledger, *others = await asyncio.gather(*(opened(path) for _ in range(4)))
    graph = await ledger.rows("m")
    assert (graph.identity, graph.generation) == ("stream", "38f97e7d34240259")
    ended, row = graph.rows
    assert (ended.shard, ended.ended) == ("a", True)
    assert (row.shard, row.parents, row.position, row.owner, row.epoch) == ("b/é", ("a",), "7", "host:1:abcd", 1)
    assert (row.memo, row.mark) == (b"\x00window", Mark(position="8", attempt=2))
    assert (await ledger.rows("n")).paused
    lease = await ledger.acquire("m", "b/é", "w", 600)
    assert lease
    await ledger.commit(lease, "8", calls=[call("c")])
    assert await others[0].waiting("m") == Waiting(due=1)
    assert (await others[0].begin("m", ["k"], "w 1", 60.0))["k"].state is State.BEGUN
    await ledger.keep("m", "b/é", KeptOutcome(name="o", records=["r"], text=""), 60.0, epoch=lease.epoch)
    assert len(await others[0].kept("m", "b/é", ["r"])) == 1
    for one in (ledger, *others):
        await one.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_an_upgrade_that_fails_leaves_format_1(tmp_path: Path):
    """Catches: an upgrade of several transactions."""
    path = tmp_path / "state.db"
    older(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (theirs)")  # what comes last is in the way
        before = list(connection.iterdump())
    with pytest.raises(LedgerError, match="notes already exists"):
        await opened(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert list(connection.iterdump()) == before


async def test_a_boot_ends_every_taking(tmp_path: Path):
    """Catches: a boot clock that is compared with that of another boot, whichever name sorts first."""
    path = tmp_path / "state.db"
    for boot in ("0", "zz"):
        ledger = await opened(path)
        await ledger.put("m", [call(boot)])
        (taken,) = await ledger.take("m", "w", 1, 600)
        await ledger.close()
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE calls SET boot = ?, expires = 1e12", (boot,))
        ledger = await opened(path)
        assert await ledger.waiting("m") == Waiting(due=1)
        assert await ledger.settle([taken]) == {taken}
        (again,) = await ledger.take("m", "other", 1, 600)
        assert again.attempt == 2
        assert await ledger.settle([again]) == set()
        await ledger.close()


async def test_who_polls_an_empty_queue_waits_for_no_lock(tmp_path: Path):
    """Nor for one of which nothing is due. Catches: a write transaction a second, for each mapping and process."""
    path = tmp_path / "state.db"
    ledger = await opened(path)
    await ledger.put("m", [call("a", due=await ledger.now() + 600), call("b")])
    await ledger.take("m", "w", 1, 600)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await ledger.take("m", "w", 10, 600) == ()
        assert await ledger.take("empty", "w", 10, 600) == ()
        assert await ledger.waiting("m") == Waiting(later=1, taken=1)
        assert await ledger.unfinished("m", [""]) == {"": 2}
        assert await ledger.notes("m") == {}
        other.execute("ROLLBACK")
    await ledger.close()


async def test_a_look_costs_the_same_however_long_the_queue(tmp_path: Path):
    """In steps of SQLite's machine, 10,000 later, 1,000 due, 500 taken. Catches: an index that is not there, or not
    used."""
    costs = []
    for path, size in ((tmp_path / "short.db", 1), (tmp_path / "long.db", 50)):
        ledger = await opened(path)
        now = await ledger.now()
        await ledger.put("m", [call(f"t{n}", due=1.0, group=f"t{n}") for n in range(10 * size)])
        await ledger.take("m", "other", 10 * size, 600)
        await ledger.put("m", [call(f"d{n}", due=now, group="g", alone=n % 2 == 0) for n in range(20 * size)])
        await ledger.put("m", [call(f"l{n}", due=now + 600, group="g") for n in range(200 * size)])
        steps = _Steps()
        await ledger._thread.run(lambda steps=steps, ledger=ledger: steps.count(ledger._connection))
        taken = await ledger.take("m", "w", 5, 600)
        assert len(taken) == 5
        await ledger.hold(taken, 600)
        await ledger.put_back(taken[:2], 0.0, begun=True)
        await ledger.settle(taken[2:], {one.call.id: "done" for one in taken})
        costs.append(steps.made)
        await ledger.close()
    assert costs[1] < 1.2 * costs[0], costs


class _Steps:
    made = 0

    def count(self, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        self.made += 1
        return 0
