"""Calls that were taken from a store that failed over to an older copy of itself: in doubt until it has answered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.calls import Call
from headrace.leases import Leases
from headrace.model import Record
from headrace.takings import Takings
from headrace.testing import FakeClock, virtual
from support.engine import Lines
from support.fleet import Store


class Rig:
    """A process with one lane of calls over a store that is `Watched`, where calls `a` and `b` are due."""

    def __init__(self) -> None:
        self.clock, self.lines = FakeClock(), Lines()
        self.store = Store(self.clock)
        self.leases = Leases(self._ledger, owner="w", clock=self.clock, logger=self.lines)
        self.takings = Takings(
            "lane", self._ledger, ttl=10, settled=lambda: self.leases.settled, clock=self.clock, log=self.lines
        )
        self.leases.told_of_doubt(self.takings)

    async def _ledger(self) -> Any:
        return self.store

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.store.put("m", [Call(id=name, event="{}") for name in "ab"])
        await self.leases.ledger()
        tasks = [asyncio.ensure_future(one) for one in (self.leases.run(), self.takings.hold())]
        await asyncio.sleep(0.1)
        yield
        for task in tasks:
            task.cancel()

    async def take(self, limit: int = 1) -> list[Record]:
        records = []
        for taken, until in (await self.takings.take("m", "w", limit)).items():
            record = Record(taken.call.id, taken, 0.0, 2, token=taken)
            record.until = until
            self.takings.add(taken, record)
            records.append(record)
        return records


@pytest.mark.parametrize("known", [False, True])
@virtual
async def test_what_is_taken_is_in_doubt_until_the_store_has_said_whose_it_is(known: bool) -> None:
    """Mutations (tried): nobody is told; the next prolonging in its turn ends it; what it does not know goes on."""
    rig = Rig()
    async with rig.running():
        copy = rig.store.copy()
        (a,) = await rig.take()
        rig.store.delay = 0.5
        rig.store.fail_over(rig.store.copy() if known else copy)
        doubt = rig.takings.doubt
        assert doubt is not None
        async with asyncio.timeout(1):
            await doubt.wait()
        assert rig.takings.doubt is None
        assert (a.until > rig.clock.boot()) is known
        assert math.isinf(a.until) is not known


@virtual
async def test_nothing_is_taken_before_all_have_had_time_to_find_out() -> None:
    """Who has a call that the copy gives out anew may be about to begin it. Mutation (tried): taken at once."""
    rig = Rig()
    async with rig.running():
        rig.store.fail_over(rig.store.copy())
        assert await rig.take() == []
        await asyncio.sleep(rig.leases.look_every)
        assert [record.id for record in await rig.take()] == ["a"]


@virtual
async def test_what_is_taken_while_the_store_becomes_another_is_in_doubt() -> None:
    """Its answer is of the old one. Mutation (tried): only what is here already is in doubt."""
    rig = Rig()
    async with rig.running():
        copy = rig.store.copy()
        rig.store.delay = 0.01
        taking = asyncio.ensure_future(rig.take())
        await asyncio.sleep(0.001)
        rig.takings.suspect()
        while rig.takings.doubt is not None:  # nothing was here to be asked for
            await asyncio.sleep(0.001)
        (a,) = await taking
        rig.store.fail_over(copy, told=False)
        assert rig.takings.doubt is not None
        await rig.takings.doubt.wait()
        assert a.until == -math.inf
