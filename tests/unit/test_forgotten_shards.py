"""When the row of a shard that was read to its end is removed: not for a listing that is late, in a fleet."""

from __future__ import annotations

import asyncio

import pytest

from headrace import graph
from headrace.ledger import Graph, Row
from headrace.shards import Listing
from headrace.testing import virtual
from support.fleet import Fleet, Worker


async def split_and_read() -> tuple[Fleet, Worker]:
    """One record in a shard that has ended, and one in a child."""
    fleet = Fleet(1)
    worker = fleet.worker("w").start()
    fleet.stream.put(["a"])
    await fleet.until(lambda: fleet.names() == ["a"])
    fleet.stream.split("shard-000")
    fleet.stream.put(["b"])
    await fleet.until(lambda: fleet.names() == ["a", "b"])
    return fleet, worker


async def known(fleet: Fleet) -> set[str]:
    return {row.shard for row in (await fleet.graph()).rows}


@virtual
async def test_a_shard_that_is_listed_no_more_is_forgotten_in_the_end() -> None:
    """Mutations: rows that are kept for ever; one that goes while it is listed."""
    fleet, worker = await split_and_read()
    await asyncio.sleep(900)
    assert "shard-000" in await known(fleet)
    fleet.stream.shards["shard-000"].listed = False
    await asyncio.sleep(240)
    assert "shard-000" in await known(fleet)
    await asyncio.sleep(240)
    assert await known(fleet) == set(fleet.stream.open_shards())
    await worker.stop()


@virtual
async def test_one_that_listings_show_late_is_not_read_again() -> None:
    """While shards change there are many listings. Found by the simulation. Mutation: three in a row are enough."""
    fleet, worker = await split_and_read()
    fleet.stream.shards["shard-000"].listed = False
    for _ in range(5):
        fleet.stream.split(fleet.stream.open_shards()[0])
        await asyncio.sleep(7)
    fleet.stream.shards["shard-000"].listed = True
    await asyncio.sleep(300)
    assert fleet.names() == ["a", "b"]
    await worker.stop()


@pytest.mark.parametrize(
    ("child", "gone"),
    [
        (Row(shard="c", position="beginning", parents=("p",)), []),
        (Row(shard="c", position="7", parents=("p",)), ["p"]),
        (Row(shard="c", position="beginning", parents=("p",), owner="w", left=9.0), ["p"]),
        (Row(shard="c", position="beginning", parents=("p",), ended=True), ["p"]),
    ],
)
def test_a_shard_whose_child_has_not_begun_is_kept(child: Row, gone: list[str]) -> None:
    """Mutation: children that are not asked: a listing that lacks both would begin the child without its parent."""
    rows = (Row(shard="p", position="3", ended=True), child)
    found = graph.outlived(Listing(identity="i", shards=(), now=0.0), Graph(identity="i", rows=rows), "beginning")
    assert [one for one in found if one == "p"] == gone
