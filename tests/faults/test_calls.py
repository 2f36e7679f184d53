"""Queues of calls on real stores while workers and servers are killed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from headrace.ledger import LedgerOpening
from headrace.sqlite import open_sqlite
from headrace_connectors.redis.ledger import open_redis
from support.calls_fleet import CallsFleet
from support.redis import Valkey, restarted_at_odd_turns


async def test_processes_that_are_killed_lose_no_call(tmp_path: Path):
    """Catches: a verb of two transactions, calls that are not put in the write of their position."""
    path = tmp_path / "state.db"
    with CallsFleet(f"sqlite:{path}", tmp_path) as fleet:
        await fleet.torment(8)
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{path}", service="shop"))
        await fleet.check(ledger)
        await ledger.close()


async def test_workers_and_server_are_killed_and_no_call_is_lost(tmp_path: Path):
    """Every write on disk before it is answered. Catches: a call or a settling that a restart takes back."""
    with Valkey(persist=True) as server, CallsFleet(server.url, tmp_path) as fleet:
        await fleet.torment(6, partial(restarted_at_odd_turns, server))
        ledger = await open_redis(LedgerOpening(url=server.url, service="shop"))
        await fleet.check(ledger)
        await ledger.close()
