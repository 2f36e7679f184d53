"""SQLite's ledger on real files: other boots, and files that cannot be used."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from headrace.errors import ConfigError, LedgerError, LedgerUnavailable
from headrace.ledger import Ledger, LedgerOpening, Shard
from headrace.model import LaneLost
from headrace.sqlite import SqliteLedger, open_sqlite
from headrace.sqliteformat import FORMAT
from headrace_connectors.catalog import catalog
from support.handclock import HandClock

GRAPH = [Shard(name="a", position="0")]


async def opened(path: Path, service: str = "shop") -> SqliteLedger:
    return await open_sqlite(LedgerOpening(url=f"sqlite:{path}", service=service))


async def held(ledger: Ledger, owner: str = "w"):
    lease = await ledger.acquire("m", "a", owner, 600)
    assert lease
    return lease


async def test_a_commit_is_synced_before_it_returns(tmp_path: Path):
    """A power cut cannot be had here; the settings that SQLite documents for it can. Catches: synchronous NORMAL."""
    ledger = await opened(tmp_path / "state.db")
    settings = await ledger._thread.run(
        lambda: [ledger._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
    )
    assert settings == [2, "wal"]  # 2 is FULL
    await ledger.close()


async def test_a_boot_ends_every_lease_and_keeps_every_position(tmp_path: Path):
    """Catches: a boot clock that is compared with that of another boot."""
    path = tmp_path / "state.db"
    ledger = await opened(path)
    await ledger.plan("m", "stream", GRAPH)
    await ledger.commit(await held(ledger), "7", memo=b"m")
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE shards SET boot = 'another', expires = 1e12")
    ledger = await opened(path)
    (row,) = (await ledger.rows("m")).rows
    assert (row.held, row.owner, row.position) == (False, "w", "7")
    lease = await held(ledger, "other")
    assert (lease.position, lease.memo, lease.crashes) == ("7", b"m", 1)
    await ledger.close()


async def test_services_share_a_file_and_nothing_in_it(tmp_path: Path):
    path = tmp_path / "state.db"
    shop, bank = await opened(path), await opened(path, "bank")
    assert await shop.plan("m", "stream", GRAPH)
    assert (await bank.rows("m")).rows == ()
    assert await bank.plan("m", "stream", GRAPH)
    await held(shop)
    await held(bank)
    await shop.close()
    await bank.close()


async def test_a_locked_file_is_waited_for_and_then_said(tmp_path: Path):
    path = tmp_path / "state.db"
    ledger = await opened(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked by another process; nothing was written") as raised:
            await ledger.plan("m", "stream", GRAPH)
        assert not raised.value.written
        assert (await ledger.rows("m")).rows == (), "who only looks waits for no lock"
        other.execute("ROLLBACK")
    assert await ledger.plan("m", "stream", GRAPH)
    await ledger.close()


async def test_of_what_only_reads_nothing_is_said_of_writing(tmp_path: Path):
    """A lock that keeps readers out, too. Catches: "nothing was written" of a look, or of an opening."""
    path = tmp_path / "state.db"
    ledger = await opened(path)
    await ledger.plan("m", "stream", GRAPH)
    await ledger.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match=r"locked by another process$"):
            await opened(path)


async def test_a_lease_that_expires_while_the_file_is_locked_writes_nothing(tmp_path: Path):
    """Catches: a clock that is read before the wait for the lock."""
    path, clock = tmp_path / "state.db", HandClock()
    ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{path}", service="shop", clock=clock))
    await ledger.plan("m", "stream", GRAPH)
    lease = await held(ledger)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        commit = asyncio.ensure_future(ledger.commit(lease, "1"))
        await asyncio.sleep(0.3)  # it has come to the lock: were it slower, the test would only catch less
        clock.now += 601
        other.execute("ROLLBACK")
        with pytest.raises(LaneLost):
            await commit
    assert (await ledger.rows("m")).rows[0].position == "0"
    await ledger.close()


async def test_a_full_disk_is_said_and_nothing_is_half(tmp_path: Path):
    ledger = await opened(tmp_path / "state.db")
    await ledger.plan("m", "stream", GRAPH)
    await ledger._thread.run(lambda: ledger._connection.execute("PRAGMA max_page_count = 1").fetchone())
    wide = [Shard(name=f"shard-{number:04}", position="0") for number in range(500)]
    with pytest.raises(LedgerUnavailable, match="the disk is full; make room; nothing was written"):
        await ledger.add("m", "stream", wide)
    assert len((await ledger.rows("m")).rows) == 1
    await ledger._thread.run(lambda: ledger._connection.execute("PRAGMA max_page_count = 100000").fetchone())
    assert len(await ledger.add("m", "stream", wide)) == 500
    await ledger.close()


async def test_what_is_no_file_of_ours_is_left_as_it_is(tmp_path: Path):
    text, other, newer = tmp_path / "text", tmp_path / "other.db", tmp_path / "newer.db"
    text.write_text("to be, or not to be: " * 100)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE orders (id)")
    await (await opened(newer)).close()
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    cases = {
        text: "is not an SQLite database; name another file",
        other: "is a database of something else; name another file",
        newer: f"is of format {FORMAT + 1}, written by a newer headrace; this one knows {FORMAT}",
        tmp_path / "none" / "state.db": "cannot be opened; is its folder there",
        tmp_path: "cannot be opened",
    }
    for path, message in cases.items():
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(LedgerError, match=message) as raised:
            await opened(path)
        assert str(path) in str(raised.value)
        assert before == (path.read_bytes() if path.is_file() else None)


async def test_a_file_that_may_not_be_written_is_refused_when_it_is_opened():
    """Not at the first commit, hours later."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder) / "state.db"
        await (await opened(path)).close()
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        root = os.geteuid() == 0  # may write whatever it is told
        if root:
            os.seteuid(65534)
        try:
            with pytest.raises(LedgerError, match="may not be written; give this user the right"):
                await opened(path)
        finally:
            if root:
                os.seteuid(0)
            Path(folder).chmod(0o755)


async def test_ledgers_are_found_by_their_scheme(tmp_path: Path):
    ledger = await catalog.ledger(LedgerOpening(url=f"sqlite:{tmp_path}/state.db", service="shop"))
    assert isinstance(ledger, SqliteLedger)
    await ledger.close()
    await (await catalog.ledger(LedgerOpening(url="memory:", service="shop"))).close()
    with pytest.raises(
        ConfigError, match=r"service.state: names no ledger: it begins with one of memory:, sqlite:, redis:"
    ):
        await catalog.ledger(LedgerOpening(url="etcd://x", service="shop"))
    with pytest.raises(ConfigError, match="names no file; write sqlite:PATH"):
        await catalog.ledger(LedgerOpening(url="sqlite:", service="shop"))
