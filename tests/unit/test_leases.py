"""The leases of one process: what a renewal that comes late says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from headrace.calls import Call, Waiting
from headrace.leases import Leases
from headrace.ledger import Lease, Ledger, Renewal, Shard
from headrace.memory import MemoryLedger
from headrace.model import LaneLost
from headrace.testing import FakeClock, virtual
from support.engine import Lines


class Slow(MemoryLedger):
    """Its renewals take two seconds."""

    async def renew(self, leases: Mapping[Lease, str], ttl: float) -> Renewal:
        await asyncio.sleep(2)
        return await super().renew(leases, ttl)


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
