"""The three ledgers pass one suite; Redis is a real one: alone, a cluster of three, and after a failover."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from headrace.testing import on_virtual_time
from headrace.testing.ledger import LedgerConformance
from support.failover import Promoted
from support.redis import Cluster, Valkey, servers
from support.stores import InMemory, InRedis, InSqlite


@on_virtual_time
class TestMemoryLedger(InMemory, LedgerConformance):
    pass


class TestSqliteLedger(InSqlite, LedgerConformance):
    pass


class FailedOver(Promoted):
    """Behind a sentinel, which has put a replica in the primary's place."""

    def _begin(self, running: ExitStack) -> None:
        super()._begin(running)
        self.promote()


@pytest.fixture(scope="module", params=[*servers(), Cluster, FailedOver], ids=lambda kind: kind.__name__)
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Also a cluster, and one that has failed over."""
    with request.param() as server:
        yield server.url


class TestRedisLedger(InRedis, LedgerConformance):
    pass


def test_valkey_is_always_among_the_servers():
    """Nothing is skipped where Debian's server is not installed, but the second server."""
    assert Valkey in servers()
