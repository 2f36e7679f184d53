"""What `headrace status` shows of a fleet at work, by what its copies wrote into the ledger. On virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

from headrace.service.shardview import ShardView, shard_views
from headrace.testing import virtual
from support.fleet import Fleet


async def shown(fleet: Fleet, shard: str = "shard-000") -> ShardView:
    (found,) = [one for one in shard_views(await fleet.graph(), fleet.clock.wall()) if one.shard == shard]
    return found


@virtual
async def test_a_shard_tells_since_when_its_handler_runs_who_has_it_and_when_it_was_lost() -> None:
    """Mutations: words that only a shard without work writes; a beginning that moves on with each renewal; a lag of
    what is not read yet alone (tried)."""
    fleet = Fleet(1)

    async def behave(_: list[str], __: Any) -> None:
        await asyncio.sleep(100)

    worker = fleet.worker("a", behave=behave).start()
    await fleet.until(lambda: len(worker.shards) == 1)
    await asyncio.sleep(20)
    assert ((one := await shown(fleet)).state, one.owner) == ("reading", "a")
    began = fleet.clock.wall()
    fleet.stream.put(["r"])
    fleet.stream.split("shard-000")
    await asyncio.sleep(60)
    one = await shown(fleet)
    assert (one.state, one.reason, one.held) == ("handling", "1 records at the handler, attempt 1", 1)
    assert abs(one.since - began) < 1
    assert 55 < (one.lag_seconds or 0) <= 60, "as long as its record waits for a verdict, though all is read"
    child = await shown(fleet, "shard-001")
    assert (child.state, child.reason) == ("waiting", "for parent shard-000")
    assert 50 < fleet.clock.wall() - child.since <= 60
    await worker.kill()
    await asyncio.sleep(60)
    one = await shown(fleet)
    assert (one.state, one.owner) == ("no owner", None)
    assert one.reason.startswith("a was lost ")


@virtual
async def test_a_shard_tells_what_fails_at_which_attempt_and_that_its_stream_is_away() -> None:
    """Mutation: a back-off that says nothing of its own."""
    fleet = Fleet(1, retry_backoff={"initial": 30, "maximum": 30})

    async def behave(_: list[str], __: Any) -> None:
        if fleet.clock.wall() < until:
            raise RuntimeError("boom")

    until = fleet.clock.wall() + 200
    worker = fleet.worker("a", behave=behave).start()
    fleet.stream.put(["r"])
    await asyncio.sleep(100)
    one = await shown(fleet)
    assert one.state == "retrying"
    assert "boom" in one.reason
    assert "attempt" in one.reason
    assert 90 < (one.lag_seconds or 0) <= 100
    await fleet.until(lambda: fleet.names() == ["r"])
    fleet.stream.away = True
    fleet.stream.put(["s"])
    await asyncio.sleep(30)
    assert (await shown(fleet)).state == "unavailable"
    await worker.stop()
