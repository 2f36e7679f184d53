"""The leases of one process: what a renewal that comes late says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from headrace.calls import Call, Waiting
from headrace.holding import Holding
from headrace.leases import Leases
from headrace.ledger import Lease, Ledger, Renewal, Shard
from headrace.memory import MemoryLedger
from headrace.model import LaneLost
from headrace.testing import FakeClock, virtual
from support.engine import Lines


class Slow(MemoryLedger):
    """Its renewals and takes take two seconds, from when they were carried out. `changed` as a failover calls it."""

    changed: Callable[[], object]

    async def watch(self, changed: Callable[[], object]) -> None:
        self.changed = changed
        await asyncio.Event().wait()

    async def acquire(self, mapping: str, shard: str, owner: str, ttl: float) -> Lease | None:
        lease = await super().acquire(mapping, shard, owner, ttl)
        await asyncio.sleep(2)
        return lease

    async def renew(self, leases: Mapping[Lease, str], ttl: float) -> Renewal:
        renewal = await super().renew(leases, ttl)
        await asyncio.sleep(2)
        return renewal


@virtual
async def test_a_lease_that_is_let_go_of_while_it_is_renewed_was_not_lost() -> None:
    """Mutation: a renewal's answer is taken for news of leases that are held no more."""
    clock, lines = FakeClock(), Lines()
    ledger = Slow(clock)

    async def opened() -> Ledger:
        return ledger

    leases = Leases(opened, owner="a", clock=clock, logger=lines)
    await ledger.plan("m", "stream", [Shard(name="s", position="0")])
    renewing = asyncio.ensure_future(leases.run())
    holding = await leases.acquire("m", "s", allowed=1)
    assert holding is not None
    await asyncio.sleep(leases.ttl / 4 + 1)
    await holding.give_back()
    await asyncio.sleep(5)
    assert lines.of("lease.lost") == []
    renewing.cancel()


class Counted(MemoryLedger):
    """`renewals` are when each came, and of how many leases."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.renewals: list[tuple[float, int]] = []

    async def renew(self, leases: Mapping[Lease, str], ttl: float) -> Renewal:
        self.renewals.append((self._clock.boot(), len(leases)))
        return await super().renew(leases, ttl)


@virtual
async def test_all_leases_of_a_worker_are_renewed_in_one_call_well_before_they_expire() -> None:
    """Of two mappings too. Mutations, tried: a call for each lease; every two thirds of a ttl."""
    clock = FakeClock()
    ledger = Counted(clock)

    async def opened() -> Ledger:
        return ledger

    leases = Leases(opened, owner="a", clock=clock, logger=Lines())
    renewing = asyncio.ensure_future(leases.run())
    for mapping in ("m", "n"):
        await ledger.plan(mapping, "stream", [Shard(name=name, position="0") for name in "stuv"])
        for name in "stuv":
            assert await leases.acquire(mapping, name, allowed=1) is not None
    await asyncio.sleep(10 * leases.ttl)
    times, counts = zip(*ledger.renewals, strict=True)
    assert set(counts) == {8}
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert leases.ttl / 5 < min(gaps) <= max(gaps) <= leases.ttl / 3
    renewing.cancel()


@virtual
async def test_what_follows_a_position_is_in_the_queue_unless_the_store_has_another() -> None:
    """Mutations: calls that are not passed on to the ledger; a position that is not."""
    clock = FakeClock()
    ledger = MemoryLedger(clock)

    async def opened() -> Ledger:
        return ledger

    leases = Leases(opened, owner="a", clock=clock, logger=Lines())
    await ledger.plan("m", "stream", [Shard(name="s", position="0")])
    holding = await leases.acquire("m", "s", allowed=1)
    assert holding is not None
    await holding.follow("1", [Call(id="c", event="{}")])
    assert (holding.position, await ledger.waiting("m")) == ("1", Waiting(due=1))
    await ledger.commit(holding.lease, "0")  # as an older copy has it
    with pytest.raises(LaneLost):
        await holding.follow("2", [Call(id="d", event="{}")])
    assert await holding.leave() == 0
    assert await ledger.waiting("m") == Waiting(due=1)


async def held_by(ledger: Slow, clock: FakeClock, lines: Lines) -> tuple[Leases, Holding, asyncio.Future[None]]:
    async def opened() -> Ledger:
        return ledger

    leases = Leases(opened, owner="a", clock=clock, logger=lines)
    await ledger.plan("m", "stream", [Shard(name="s", position="0"), Shard(name="t", position="0")])
    renewing = asyncio.ensure_future(leases.run())
    holding = await leases.acquire("m", "s", allowed=1)
    assert holding is not None
    return leases, holding, renewing


@virtual
async def test_what_was_asked_of_the_store_of_before_confirms_nothing() -> None:
    """Mutation (tried): a renewal that was sent before the store became another ends the doubt."""
    clock, lines = FakeClock(), Lines()
    ledger = Slow(clock)
    leases, holding, renewing = await held_by(ledger, clock, lines)
    await asyncio.sleep(leases.ttl / 4 + 1)  # a renewal is under way
    ledger.changed()
    await asyncio.sleep(1.5)  # answered
    assert holding.doubt is not None
    await asyncio.sleep(2)  # asked again, and answered
    assert holding.doubt is None
    assert lines.of("leases.confirmed") == [{"leases": 1, "seconds": 3.0}]
    renewing.cancel()


@virtual
async def test_what_was_taken_of_the_store_of_before_is_in_doubt() -> None:
    """Mutation (tried): a lease is trusted that came while the store became another."""
    clock, lines = FakeClock(), Lines()
    ledger = Slow(clock)
    leases, _, renewing = await held_by(ledger, clock, lines)
    taking = asyncio.ensure_future(leases.acquire("m", "t", allowed=1))
    await asyncio.sleep(1)
    ledger.changed()
    holding = await taking
    assert holding is not None
    assert holding.doubt is not None
    await asyncio.sleep(5)
    assert holding.doubt is None
    renewing.cancel()


@virtual
async def test_nothing_is_taken_before_all_others_had_a_look_at_the_other_store() -> None:
    """Mutation (tried): taken at once, beside who does not know yet that its lease is gone."""
    clock, lines = FakeClock(), Lines()
    ledger = Slow(clock)
    leases, _, renewing = await held_by(ledger, clock, lines)
    ledger.changed()
    assert await leases.acquire("m", "t", allowed=1) is None
    await asyncio.sleep(leases.look_every)
    assert await leases.acquire("m", "t", allowed=1)
    renewing.cancel()
