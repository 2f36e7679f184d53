"""A process that takes leases of one ledger, commits under them as fast as it can, and is meant to be killed.

    python -m support.ledger_worker URL OWNER LOG

LOG gets a line for each lease that was given, and for each commit that returned: what the store must remember.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from headrace.errors import LedgerUnavailable
from headrace.ledger import Ledger, LedgerOpening, Shard
from headrace.model import LaneLost
from headrace_connectors.catalog import catalog

SHARDS = [f"shard-{number}" for number in range(4)]
TTL = 0.5


async def main(url: str, owner: str, log: Path) -> None:
    graph = [Shard(name=shard, position="0") for shard in SHARDS]
    ledger = await reached(lambda: catalog.ledger(LedgerOpening(url=url, service="shop")))
    await reached(lambda: ledger.plan("m", owner, graph))
    with log.open("a", buffering=1) as lines:
        while True:
            for shard in SHARDS:
                with contextlib.suppress(LaneLost, LedgerUnavailable):
                    await hold(ledger, shard, owner, lines.write)
            await asyncio.sleep(0.001)


async def reached(verb):
    while True:
        try:
            return await verb()
        except LedgerUnavailable:
            await asyncio.sleep(0.01)


async def hold(ledger: Ledger, shard: str, owner: str, write) -> None:
    lease = await ledger.acquire("m", shard, owner, TTL)
    if lease is None:
        return
    write(f"lease {shard} {lease.epoch} {owner} {lease.position}\n")
    for number in range(int(lease.position) + 1, int(lease.position) + 4):
        await ledger.commit(lease, str(number), memo=str(number).encode())
        write(f"commit {shard} {lease.epoch} {owner} {number}\n")
    await ledger.release(lease)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
