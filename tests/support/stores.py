"""The three stores, for suites that each of them passes: a fixture `ledger` of one, new for each test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.sqlite import open_sqlite
from headrace.testing import FakeClock
from headrace_connectors.redis.ledger import open_redis


class InMemory:
    """For virtual time."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger(FakeClock())


class InSqlite:
    @pytest.fixture
    async def ledger(self, tmp_path: Path) -> AsyncIterator[Ledger]:
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{tmp_path / 'state.db'}", service="shop"))
        yield ledger
        await ledger.close()


class InRedis:
    """Under a name of its own, in the server that the fixture `redis_url` has."""

    @pytest.fixture
    async def ledger(self, redis_url: str) -> AsyncIterator[Ledger]:
        ledger = await open_redis(LedgerOpening(url=redis_url, service=secrets.token_hex(4)))
        yield ledger
        await ledger.close()
