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
@pytest.mark.parametrize("told", [False, True])
async def test_who_holds_what_an_older_copy_does_not_know_dispatches_and_writes_nothing_more(
    newcomer: bool, told: bool
) -> None:
    """The copy is from before `b` took its shards: by it they are another's, and `c` may find them free.

    Mutations (tried): a worker that does not compare what it sees in the store with what it has seen (untold); one that
    dispatches while its leases are in doubt (told).
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
    taken = {row.shard: (row.owner, row.epoch) for row in (await fleet.graph()).rows}
    unknown = {(owner, shard, epoch) for shard, (owner, epoch) in taken.items() if owner == "b"}
    fleet.ledger.delay = 2.0 if told else 0.01
    fleet.ledger.fail_over(copy, told=told)
    before, at = len(begun), fleet.clock.boot()
    workers = [one, two, *([start("c")] if newcomer else [])]
    await fleet.until(lambda: set(fleet.names()) == set(NAMES))
    await producing
    late = [call for call in begun[before:] if call[1:] in unknown and (told or call[0] > at + 1.1)]
    assert late == [], "where nobody tells of it, a look, once a second, finds out"
    assert all(row.epoch > taken[row.shard][1] for row in (await fleet.graph()).rows)
    for worker in workers:
        await worker.stop()


@virtual
async def test_a_store_that_knows_its_leases_still_goes_on_under_them() -> None:
    """Mutations: a doubt that loses leases, or that nothing ends (tried)."""
    fleet = Fleet(2, ttl=10.0)
    one, two = fleet.worker("a").start(), fleet.worker("b").start()
    await fleet.until(lambda: len(one.shards) == len(two.shards) == 1)
    taken = (await fleet.graph()).rows
    fleet.ledger.fail_over(fleet.ledger.copy())
    began = fleet.clock.boot()
    fleet.stream.put(NAMES)
    await fleet.until(lambda: set(fleet.names()) == set(NAMES))
    assert fleet.clock.boot() - began < fleet.ttl / 4, "it waited for the next renewal, and was not asked at once"
    assert [(row.owner, row.epoch) for row in (await fleet.graph()).rows] == [(row.owner, row.epoch) for row in taken]
    assert len(fleet.names()) == len(NAMES)
    for worker in (one, two):
        assert len(worker.told.of("leases.in_doubt")) == len(worker.told.of("leases.confirmed")) == 1
        await worker.stop()


@virtual
async def test_a_store_that_is_another_and_cannot_be_asked_keeps_a_lane_in_doubt_to_its_deadline() -> None:
    """Mutation: a renewal that failed, taken for the store's word (tried)."""
    fleet = Fleet(1, ttl=10.0)
    worker = fleet.worker("a").start()
    await fleet.until(lambda: len(worker.shards) == 1)
    fleet.ledger.away = True
    fleet.ledger.fail_over(fleet.ledger.copy())
    fleet.stream.put(NAMES)
    await fleet.until(lambda: worker.told.of("lease.lost"))
    assert fleet.begun == []
    fleet.ledger.away = False
    await fleet.until(lambda: set(fleet.names()) == set(NAMES))
    await worker.stop()
