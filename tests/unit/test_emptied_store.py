"""A store that was away and came back empty: who knows what was in it comes before who does not. On virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headrace.cli.beginning import begin
from headrace.ledger import Shard
from headrace.seeking import Edge
from headrace.testing import virtual
from headrace.witness import FileWitness, NoWitness
from support.engine import Lines
from support.fleet import Fleet, Worker

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


def witness(folder: Path) -> FileWitness:
    """As a process opens it that starts on the machine of *folder*."""
    return FileWitness("redis://store:6379/0", "s", log=Lines(), folder=folder)


async def emptied(fleet: Fleet, folder: Path) -> Worker:
    """A copy starts where another had read the first hundred, all have ended since, and the store was emptied."""
    one = fleet.worker("a", witness=witness(folder)).start()
    await fleet.until(lambda: len(one.shards) == 2)
    fleet.stream.put(NAMES[:100])
    await fleet.until(lambda: len(fleet.done) == 100)
    await one.stop()
    fleet.stream.put(NAMES[100:])
    fleet.ledger.flush()
    two = fleet.worker("b", witness=witness(folder)).start()
    await asyncio.sleep(60)
    return two


@virtual
async def test_with_no_copy_alive_that_knew_it_the_mapping_stops_with_the_reason(tmp_path: Path) -> None:
    """Mutation: a witness that is not asked before the first graph: LATEST passes over fifty records."""
    fleet = Fleet(2, starting_position="LATEST")
    two = await emptied(fleet, tmp_path)
    assert (await fleet.graph()).generation is None
    assert len(fleet.done) == 100
    assert two.mapping.condition.state == "unavailable"
    assert "redis://store:6379/0 has no positions of m any more" in two.mapping.condition.reason
    assert "headrace seek CONFIG m --to TRIM_HORIZON" in two.mapping.condition.reason
    await two.stop()


@virtual
async def test_a_seek_says_where_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mutation: a copy that is told of no graph but by its own start."""
    fleet = Fleet(2, starting_position="LATEST")
    two = await emptied(fleet, tmp_path)
    await begin("m", Edge.TRIM_HORIZON, fleet.stream, fleet.ledger, witness(tmp_path))
    assert "begins from" in capsys.readouterr().out
    await fleet.until(lambda: len(fleet.done) == 250)
    assert set(fleet.names()) == set(NAMES)
    assert two.mapping.condition.ready
    assert not two.told.of("graph.begun_anew"), "the seek has told the witness"
    await two.stop()


@virtual
async def test_a_machine_that_never_saw_the_store_begins_only_where_it_is_told_if_the_mapping_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A first start and an emptied store look the same to it. Mutation: only the witness is asked."""
    fleet = Fleet(2, starting_position="LATEST")
    fleet.stream.put(NAMES)
    elsewhere = fleet.worker("a", on_missing_positions="fail").start()
    await asyncio.sleep(600)
    condition = elsewhere.mapping.condition
    assert ((await fleet.graph()).generation, condition.state) == (None, "unavailable")
    assert "on_missing_positions: fail" in condition.reason
    assert "headrace seek CONFIG m --to" in condition.reason
    await begin("m", Edge.TRIM_HORIZON, fleet.stream, fleet.ledger, NoWitness())
    assert "begins from" in capsys.readouterr().out
    await fleet.until(lambda: set(fleet.names()) == set(NAMES))
    assert elsewhere.mapping.condition.ready
    await elsewhere.stop()


@virtual
async def test_one_that_was_begun_anew_by_who_knew_nothing_is_told(tmp_path: Path) -> None:
    """Another machine has no witness. Mutation: a graph that is another than the one that was seen, without a word."""
    fleet = Fleet(2, starting_position="LATEST")
    two = await emptied(fleet, tmp_path)
    await two.stop()
    elsewhere = fleet.worker("c").start()
    await fleet.until(lambda: len(elsewhere.shards) == 2)
    three = fleet.worker("d", witness=witness(tmp_path)).start()
    await asyncio.sleep(10)
    assert three.told.of("graph.begun_anew")
    for worker in (elsewhere, three):
        await worker.stop()
