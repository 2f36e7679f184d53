"""The lane over a queue of calls passes the suite of every lane, on each store; Redis is a real one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from headrace.calls import Call
from headrace.clock import SYSTEM, Clock
from headrace.invocations import InvocationLane
from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.model import Lane, Record
from headrace.observe import Tally
from headrace.sqlite import open_sqlite
from headrace.testing import FakeClock, on_virtual_time
from headrace.testing.conformance import LaneConformance, Redelivers
from headrace.testing.harness import tended
from headrace_connectors.redis.ledger import open_redis
from support.engine import Lines
from support.redis import Valkey


class Invocations:
    """Calls of a mapping `m`; a taking is good for two seconds."""

    promptly, patience, slack = 1.5, 6.0, 0.01

    def __init__(self, ledger: Ledger, clock: Clock = SYSTEM) -> None:
        self.ledger, self.clock = ledger, clock

    def open(self) -> AbstractAsyncContextManager[Lane]:
        async def ledger() -> Ledger:
            return self.ledger

        async def nothing() -> None:
            await asyncio.Event().wait()

        lane = InvocationLane(
            "invocations",
            "m",
            ledger,
            owner=secrets.token_hex(4),
            ttl=2.0,
            settled=lambda: True,
            beside=nothing,
            tally=Tally(),
            clock=self.clock,
            log=Lines(),
        )
        return tended(lane)

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        await self.ledger.put("m", [Call(id=name, event="{}") for name in names])

    def name(self, record: Record) -> str:
        return record.id

    async def finish(self) -> None:
        raise NotImplementedError("a queue has no end")

    async def seize(self) -> None:
        raise NotImplementedError("nobody takes a queue away")


@on_virtual_time
class TestOverMemory(LaneConformance, Redelivers):
    @pytest.fixture
    def harness(self) -> Invocations:
        clock = FakeClock()
        return Invocations(MemoryLedger(clock), clock)


class TestOverSqlite(LaneConformance, Redelivers):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[Invocations]:
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{tmp_path / 'state.db'}", service="shop"))
        yield Invocations(ledger)
        await ledger.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


class TestOverRedis(LaneConformance, Redelivers):
    @pytest.fixture
    async def harness(self, server: Valkey) -> AsyncIterator[Invocations]:
        ledger = await open_redis(LedgerOpening(url=server.url, service=secrets.token_hex(4)))
        yield Invocations(ledger)
        await ledger.close()
