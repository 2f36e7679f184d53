"""The three ledgers pass one suite; Redis is a real one: alone, a cluster of three, and after a failover."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

import pytest

from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.sqlite import open_sqlite
from headrace.testing import FakeClock, on_virtual_time
from headrace.testing.ledger import LedgerConformance
from headrace_connectors.redis.ledger import open_redis
from support.failover import Promoted
from support.redis import Cluster, Valkey, servers


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


class FailedOver(Promoted):
    """Behind a sentinel, which has put a replica in the primary's place."""

    def __enter__(self) -> Self:
        super().__enter__()
        self.promote()
        return self


@pytest.fixture(scope="module", params=[*servers(), Cluster, FailedOver], ids=lambda kind: kind.__name__)
def redis(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as server:
        yield server.url


class TestRedisLedger(LedgerConformance):
    @pytest.fixture
    async def ledger(self, redis: str) -> AsyncIterator[Ledger]:
        ledger = await open_redis(LedgerOpening(url=redis, service=secrets.token_hex(4)))
        yield ledger
        await ledger.close()


def test_valkey_is_always_among_the_servers():
    """Nothing is skipped where Debian's server is not installed, but the second server."""
    assert Valkey in servers()
