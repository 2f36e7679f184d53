"""A store that failed over to an older copy of itself: what it does not know of is fenced. On virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headrace.testing import virtual
from support.fleet import Fleet, Worker

NAMES = [f"r{number:03}" for number in range(200)]


@virtual
@pytest.mark.parametrize("newcomer", [False, True])
async def test_who_holds_what_an_older_copy_does_not_know_dispatches_and_writes_nothing_more(newcomer: bool) -> None:
    """The copy is from before `b` took its shards: by it they are another's, and `c` may find them free.

    Mutation (tried): a worker that does not compare what it sees in the store with what it has seen.
    """
    fleet = Fleet(4, ttl=10.0)
    begun: list[tuple[float, str, str, int]] = []

    def start(name: str) -> Worker:
        async def behave(_: list[str], context: Any) -> None:
            begun.append((fleet.clock.boot(), name, context.headrace.lane, context.headrace.epoch))
            await asyncio.sleep(0.2)

        return fleet.worker(name, behave=behave).start()

    async def produce() -> None:
        for name in NAMES:
            fleet.stream.put([name])
            await asyncio.sleep(0.2)

    one = start("a")
    producing = asyncio.ensure_future(produce())
    await fleet.until(lambda: len(one.shards) == 4)
    copy = fleet.ledger.copy()
    two = start("b")
    await fleet.until(lambda: len(two.shards) == 2)
    await asyncio.sleep(5)
    taken = {row.shard: row.epoch for row in (await fleet.graph()).rows}
    fleet.ledger.fail_over(copy)
    at = fleet.clock.boot()
    workers = [one, two, *([start("c")] if newcomer else [])]
    await fleet.until(lambda: set(fleet.names()) == set(NAMES))
    await producing
    late = [call for call in begun if call[0] > at + 1.1 and call[1] != "c" and call[3] <= taken[call[2]]]
    assert late == [], "a look, once a second, finds out"
    assert all(row.epoch > taken[row.shard] for row in (await fleet.graph()).rows)
    for worker in workers:
        await worker.stop()
