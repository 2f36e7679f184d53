"""The three ledgers pass one suite; Redis is a real one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.sqlite import open_sqlite
from headrace.testing import FakeClock, on_virtual_time
from headrace.testing.ledger import LedgerConformance
from headrace_connectors.redis.ledger import open_redis
from support.redis import RedisServer, Valkey, servers


@on_virtual_time
class TestMemoryLedger(LedgerConformance):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger(FakeClock())


class TestSqliteLedger(LedgerConformance):
    @pytest.fixture
    async def ledger(self, tmp_path: Path) -> AsyncIterator[Ledger]:
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{tmp_path / 'state.db'}", service="shop"))
        yield ledger
        await ledger.close()


@pytest.fixture(scope="module", params=servers(), ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    kind: type[RedisServer] = request.param
    with kind() as server:
        yield server


class TestRedisLedger(LedgerConformance):
    @pytest.fixture
    async def ledger(self, server: RedisServer) -> AsyncIterator[Ledger]:
        ledger = await open_redis(LedgerOpening(url=server.url, service=secrets.token_hex(4)))
        yield ledger
        await ledger.close()


def test_valkey_is_always_among_the_servers():
    """Nothing is skipped where Debian's server is not installed, but the second server."""
    assert Valkey in servers()
