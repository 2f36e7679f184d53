"""Random walks of a model beside each of the three stores: as many as its seeds, fewer where a store takes its time."""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from headrace.ledger import Ledger, LedgerOpening
from headrace.memory import MemoryLedger
from headrace.sqlite import open_sqlite
from headrace_connectors.redis.ledger import open_redis
from support.handclock import HandClock
from support.redis import Valkey

SEEDS = int(os.environ.get("HEADRACE_SEEDS", "150"))

Passes: TypeAlias = Callable[[float], Awaitable[None]]
"""Makes a store's clock go on by so many seconds."""


class Walk(Protocol):
    async def run(self) -> None: ...


Begun: TypeAlias = Callable[[Ledger, Passes, int], Walk]
"""A walk over a store, by its seed."""


async def over_memory(begun: Begun) -> None:
    for seed in range(SEEDS):
        clock = HandClock()
        await begun(MemoryLedger(clock), _passes(clock), seed).run()


async def over_sqlite(begun: Begun, folder: Path) -> None:
    for seed in range(max(SEEDS // 30, 3)):
        clock = HandClock()
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{folder}/{seed}.db", service="shop", clock=clock))
        await begun(ledger, _passes(clock), seed).run()
        await ledger.close()


async def over_redis(begun: Begun, moves: Callable[[Valkey, str], Passes]) -> None:
    """Its clock is its own: *moves* has the times of a mapping, whose keys begin so, pass there."""
    with Valkey() as server:
        for seed in range(max(SEEDS // 3, 20)):
            service = secrets.token_hex(4)
            ledger = await open_redis(LedgerOpening(url=server.url, service=service))
            await begun(ledger, moves(server, f"headrace:{{{service}/m}}"), seed).run()
            await ledger.close()


def _passes(clock: HandClock) -> Passes:
    async def passes(seconds: float) -> None:
        clock.now += seconds

    return passes
