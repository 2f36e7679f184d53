"""Processes that stood still for longer than they were counted in: what they held then, they have lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from headrace.testing.lineage import Write
from support.copies import Copies, held
from support.service import Service, boot, until
from support.streambooks import StreamBooks, Watch

Stops: TypeAlias = dict[tuple[str, int], tuple[float, float]]
"""Leases (shard, epoch) of a process that was stopped: from when until when, on the boot clock."""


async def stopped(sleeper: Service) -> tuple[float, Sequence[tuple[str, int]]]:
    """SIGSTOP of a copy that holds something: when it stood still, and what it holds."""
    while True:
        await until(lambda: held(sleeper), why=sleeper.log_text)
        begin = sleeper.pause()
        if leases := list(held(sleeper)):
            return begin, leases
        sleeper.resume()  # it has just lost it


async def asleep(copies: Copies, watch: Watch) -> Stops:
    """SIGSTOP of a copy that holds something, until others hold all of it."""
    await until(lambda: any(map(held, copies.running)), why=copies.log_text)
    sleeper = next(one for one in copies.running if held(one))
    begin, leases = await stopped(sleeper)
    async with asyncio.timeout(60):
        while not await _lost(leases, watch):
            await asyncio.sleep(0.1)
    end = boot()
    sleeper.resume()
    return dict.fromkeys(leases, (begin, end))


async def _lost(leases: Sequence[tuple[str, int]], watch: Watch) -> bool:
    """Whether each is somebody else's, or of a shard that had ended before."""
    rows = {row.shard: row for row in (await watch.graph()).rows}
    return all(rows[shard].epoch > epoch or rows[shard].ended for shard, epoch in leases)


def nothing_more(books: StreamBooks, writes: Sequence[Write], stops: Stops) -> None:
    """No call was made since, and nothing was written under the old epoch once others were let in."""
    for made, call in books.dispatched():
        begin, end = stops.get((call.lane, call.epoch), (boot(), boot()))
        assert made <= begin, f"{call} was made {made - end:.2f} s after its process went on"
    for lease, (_, end) in stops.items():
        assert not [one for one in writes if (one.shard, one.epoch) == lease and one.at > end]
