"""A call that outlives its lease: a plain handler in its thread, an async one that ignores its cancellation."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from headrace.testing import virtual
from support.fleet import Fleet, Worker

TEN = [f"r{number}" for number in range(10)]


class Stubborn:
    """A handler that does not end when it is cancelled, as none does that runs in a thread; then it is quick."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.over = fleet, asyncio.Event()
        self.running: Counter[str] = Counter()
        self.most = 0

    async def __call__(self, worker: Worker, names: list[str], event: Any) -> None:
        shard = self.fleet.begun[-1][1]
        self.running[shard] += 1
        self.most = max(self.most, self.running[shard])
        while not self.over.is_set():
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue
        self.running[shard] -= 1


async def lose(fleet: Fleet) -> None:
    """Every lease, as the store is away for longer than they last."""
    fleet.ledger.away = True
    await asyncio.sleep(2 * fleet.ttl)
    fleet.ledger.away = False
    await asyncio.sleep(2 * fleet.ttl)


@virtual
async def test_a_process_leaves_a_shard_alone_while_a_call_of_an_earlier_lease_still_runs() -> None:
    """Mutation: a shard that is taken again at once: its next call begins beside the old one, with the same records."""
    fleet = Fleet(2)
    stubborn = Stubborn(fleet)
    one = fleet.worker("a", tell=stubborn).start()
    await fleet.until(lambda: len(one.shards) == 2)
    shard = fleet.stream.put(["x"])
    await fleet.until(lambda: stubborn.running[shard] == 1)
    await lose(fleet)
    assert one.shards == set(fleet.stream.shards) - {shard}
    assert one.mapping.condition.state == "waiting"
    assert shard in one.mapping.condition.reason
    assert [line["lanes"] for line in one.told.of("shards.left_alone")] == [[shard]]
    stubborn.over.set()
    await fleet.until(lambda: len(one.shards) == 2 and one.mapping.condition.ready)
    await asyncio.sleep(5)
    assert stubborn.most == 1
    assert fleet.names().count("x") == 2, "the first call settled nothing"
    await one.stop()


@virtual
async def test_another_process_takes_it() -> None:
    """Mutation: a shard that is taken, and waits: nobody else may have it while a hung call runs, perhaps for ever."""
    fleet = Fleet(1)
    stubborn = Stubborn(fleet)
    one = fleet.worker("a", tell=stubborn).start()
    await fleet.until(lambda: len(one.shards) == 1)
    fleet.stream.put(["x"])
    await fleet.until(lambda: stubborn.running["shard-000"] == 1)
    two = fleet.worker("b").start()
    await lose(fleet)
    await fleet.until(lambda: fleet.names() == ["x"])
    assert fleet.done == [("b", "shard-000", "x")]
    await two.stop()
    stubborn.over.set()
    await one.stop()


@virtual
@pytest.mark.parametrize("other", [0, 1])
async def test_a_seek_is_followed_at_once_and_loses_nobody(other: int) -> None:
    """Mutation: a row that is left to its old lease's expiry, and then taken by another as if its owner had died."""
    fleet = Fleet(2, ttl=10)
    workers = [fleet.worker(name).start() for name in "ab"[: 1 + other]]
    fleet.stream.put(TEN)
    await fleet.until(lambda: len(fleet.done) == len(TEN) and sum(len(one.shards) for one in workers) == 2)
    await asyncio.sleep(30)
    await fleet.ledger.seek("m", dict.fromkeys(fleet.stream.shards, fleet.stream.beginning))
    await fleet.until(lambda: len(fleet.done) == 2 * len(TEN), fleet.ttl / 2)
    assert not any(row.crashes for row in (await fleet.graph()).rows)
    for worker in workers:
        await worker.stop()
