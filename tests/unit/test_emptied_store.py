"""A store that was away and came back empty: who knows what was in it comes before who does not. On virtual time."""

from __future__ import annotations

import asyncio

import pytest

from headrace.ledger import Shard
from headrace.testing import virtual
from support.fleet import Fleet

NAMES = [f"r{number:03}" for number in range(150)]


@virtual
@pytest.mark.parametrize("away", [5, 60, 600])
async def test_however_long_it_was_away_nothing_begins_anew(away: float) -> None:
    """A copy that knows nothing starts as it comes back. Mutation: looks that become rarer and rarer: LATEST is now."""
    fleet = Fleet(2, starting_position="LATEST")
    one = fleet.worker("a").start()
    await fleet.until(lambda: len(one.shards) == 2)
    fleet.stream.put(NAMES[:100])
    await fleet.until(lambda: len(fleet.done) == 100)
    await asyncio.sleep(5)
    fleet.ledger.away = True
    await asyncio.sleep(away)
    fleet.stream.put(NAMES[100:])
    await asyncio.sleep(1)
    fleet.ledger.flush()
    fleet.ledger.away = False
    two = fleet.worker("b").start()
    await fleet.until(lambda: set(fleet.names()) == set(NAMES))
    await asyncio.sleep(10)
    assert one.told.of("graph.restored")
    assert not two.told.of("graph.written")
    for worker in (one, two):
        await worker.stop()


@virtual
async def test_a_graph_that_was_begun_anew_all_the_same_is_told_with_what_it_was() -> None:
    """Mutation: another generation that is taken as it is, without a word."""
    fleet = Fleet(1)
    worker = fleet.worker("a").start()
    await fleet.until(lambda: len(worker.shards) == 1)
    fleet.stream.put(NAMES)
    await fleet.until(lambda: len(fleet.done) == len(NAMES))
    await asyncio.sleep(5)
    graph = await fleet.graph()
    fleet.ledger.flush()
    (row,) = graph.rows
    await fleet.ledger.plan("m", graph.identity or "", [Shard(name=row.shard, position=row.position, parents=())])
    await asyncio.sleep(5)
    (line,) = worker.told.of("graph.begun_anew")
    assert line["was"] == {row.shard: row.position}
    await worker.stop()
