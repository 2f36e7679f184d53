"""A process that puts calls with positions, takes and settles them as fast as it can, and is meant to be killed.

    python -m support.calls_worker URL OWNER LOG

LOG gets a line for each call that it was given (with when it asked, and had the answer), before each that it puts back,
and for each that it settled. A call is one of its own group, and its note says who settled it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from pathlib import Path

from headrace.calls import Call
from headrace.errors import LedgerUnavailable
from headrace.ledger import Ledger, LedgerOpening, Shard
from headrace.model import LaneLost
from headrace_connectors.catalog import catalog
from support.ledger_worker import reached

TTL = 0.5
HANDLER = (0.0, 0.05, 0.2, TTL + 0.2)
"""Seconds that a handler may take: most are killed at it, and some are overtaken."""


async def main(url: str, owner: str, log: Path) -> None:
    ledger = await reached(lambda: catalog.ledger(LedgerOpening(url=url, service="shop")))
    await reached(lambda: ledger.plan("m", owner, [Shard(name="a", position="0")]))
    with log.open("a", buffering=1) as lines:
        while True:
            with contextlib.suppress(LaneLost, LedgerUnavailable):
                await put(ledger, owner)
            with contextlib.suppress(LedgerUnavailable):
                await work(ledger, owner, lines.write)
            await asyncio.sleep(0.001)


async def put(ledger: Ledger, owner: str) -> None:
    lease = await ledger.acquire("m", "a", owner, TTL)
    if lease is None:
        return
    for number in range(int(lease.position) + 1, int(lease.position) + 4):
        await ledger.commit(lease, str(number), calls=[Call(id=str(number), event="{}", group=str(number))])
    await ledger.release(lease)


async def work(ledger: Ledger, owner: str, write) -> None:
    asked = time.monotonic()
    taken = await ledger.take("m", owner, 4, TTL)
    answered = time.monotonic()
    for one in taken:
        write(f"take {one.call.id} {one.number} {owner} {one.attempt} {asked} {answered}\n")
    await ledger.hold(taken, TTL)
    await asyncio.sleep(random.choice(HANDLER))
    back = [one for one in taken if random.random() < 0.3]
    for one in back:
        write(f"back {one.call.id} {one.number} {owner}\n")
    await ledger.put_back(back, 0.0, begun=True)
    rest = [one for one in taken if one not in back]
    lost = await ledger.settle(rest, {one.call.id: owner for one in rest})
    for one in rest:
        if one not in lost:
            write(f"settle {one.call.id} {one.number} {owner}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
