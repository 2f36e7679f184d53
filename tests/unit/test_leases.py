"""The leases of one process: what a renewal that comes late says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from headrace.calls import Call, Waiting
from headrace.leases import Leases
from headrace.ledger import Lease, Ledger, Renewal, Shard
from headrace.memory import MemoryLedger
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
async def test_what_a_lane_commits_with_its_position_is_in_the_queue() -> None:
    """Mutation: calls that are not passed on to the ledger."""
    clock = FakeClock()
    ledger = MemoryLedger(clock)

    async def opened() -> Ledger:
        return ledger

    leases = Leases(opened, owner="a", clock=clock, logger=Lines())
    await ledger.plan("m", "stream", [Shard(name="s", position="0")])
    holding = await leases.acquire("m", "s", allowed=1)
    assert holding is not None
    await holding.commit("1", calls=[Call(id="c", event="{}")])
    assert (holding.position, await ledger.waiting("m")) == ("1", Waiting(due=1))
