"""Ledgers on real stores while workers and servers are killed, cut off and failed over."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from headrace.errors import LedgerUnavailable
from headrace.ledger import LedgerOpening, Shard
from headrace.sqlite import open_sqlite
from headrace.testing import FaultProxy
from headrace_connectors.redis.ledger import RedisLedger, open_redis
from support.ledger_fleet import Fleet
from support.redis import RedisServer, Sentinel, Valkey, restarted_at_odd_turns, servers, wait_until


@pytest.fixture(scope="module", params=servers(), ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    kind: type[RedisServer] = request.param
    with kind() as server:
        yield server


async def opened(url: str, service: str = "shop") -> RedisLedger:
    return await open_redis(LedgerOpening(url=url, service=service))


async def test_processes_that_are_killed_tear_nothing(tmp_path: Path):
    """Catches: a verb of two transactions, a lease that is judged outside the lock."""
    path = tmp_path / "state.db"
    with Fleet(f"sqlite:{path}", tmp_path) as fleet:
        await fleet.torment(8)
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{path}", service="shop"))
        await fleet.check(ledger)
        await ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_workers_and_server_are_killed_and_nothing_is_torn(tmp_path: Path):
    """Every write on disk before it is answered. Catches: a position or an epoch that a restart takes back."""
    with Valkey(persist=True) as server, Fleet(server.url, tmp_path) as fleet:
        await fleet.torment(6, partial(restarted_at_odd_turns, server))
        ledger = await opened(server.url)
        await fleet.check(ledger)
        await ledger.close()


async def test_workers_are_cut_off_and_nothing_is_torn(tmp_path: Path, server: RedisServer):
    service_free = server.ask("FLUSHALL")
    assert service_free.startswith("+OK")
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        with Fleet(f"redis://{proxy.address}", tmp_path) as fleet:

            async def cut(turn: int) -> None:
                for _ in range(5):
                    proxy.cut()
                    await asyncio.sleep(0.02)

            await fleet.torment(5, cut)
        ledger = await opened(server.url)
        await fleet.check(ledger)
        await ledger.close()


async def test_a_failover_behind_a_sentinel_is_followed():
    """One with a copy that is up to date. Catches: a client that stays with the old primary."""
    with (
        Valkey() as primary,
        Valkey("--replicaof", f"127.0.0.1 {primary.port}") as replica,
        Sentinel(primary) as sentinel,
    ):
        wait_until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"))
        wait_until(lambda: "num-slaves" in sentinel.ask("SENTINEL", "MASTER", "shop"))
        wait_until(lambda: str(replica.port) in sentinel.ask("SENTINEL", "REPLICAS", "shop"))
        ledger = await opened(sentinel.url, secrets.token_hex(4))
        await ledger.plan("m", "stream", [Shard(name="a", position="0")])
        lease = await ledger.acquire("m", "a", "w", 600)
        assert lease
        await ledger.commit(lease, "1")
        wait_until(lambda: replica.ask("DBSIZE").startswith(":1"))
        await asyncio.to_thread(primary.kill)
        async with asyncio.timeout(30):
            while True:  # again while the store is away, as every caller does
                try:
                    await ledger.commit(lease, "2")
                    break
                except LedgerUnavailable:
                    await asyncio.sleep(0.05)
        assert (await ledger.rows("m")).rows[0].position == "2"
        assert "role:master" in replica.ask("INFO", "replication")
        await ledger.close()
