"""What succeeded and is told of: confirmed before it is settled, and only the sending is repeated."""

from __future__ import annotations

import asyncio

from headrace.batcher import BatchPolicy
from headrace.destination import CONFIRMED, SUCCESS
from headrace.outgoing import Outcome
from headrace.policy import FailurePolicy
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, virtual
from support.engine import AWAY, TOO_LARGE, Destination, Moody, Rig, ids, partial


def log_of(names: str) -> MemoryLog:
    log = MemoryLog(page=100)
    log.put(names)
    log.seal()
    return log


@virtual
async def test_records_are_settled_when_their_destination_has_confirmed() -> None:
    """Mutations: settled first; the handler run again because the destination is down."""
    to, log = Moody(AWAY), log_of("abc")
    rig = Rig(log.lane("s"), announce=to)
    async with rig.running() as running:
        await asyncio.sleep(60)
        assert log.position is None
        assert rig.handler.batches == ["a"]
        assert len(to.asked) > 2
        condition = rig.work.unsent.condition(0.0)
        assert condition is not None
        assert condition.state == "holding"
        to.mood = CONFIRMED
        await running
    assert rig.handler.batches == ["a", "b", "c"]
    assert (rig.tally.succeeded, rig.tally.announced) == (3, 3)
    assert rig.tally.announce_errors > 2
    assert rig.tally.delivery_errors == 0


@virtual
async def test_only_what_succeeded_is_told_and_why() -> None:
    """Mutation: the whole batch, with what the answer named as failed."""

    async def fail_b(names: list[str], _: int) -> Outcome | None:
        return partial("b") if "b" in names else None

    to, bad = Destination(), Destination()
    rig = Rig(
        log_of("ab").lane("s"),
        fail_b,
        announce=to,
        discard=bad,
        failure=FailurePolicy(retries=0),
        batch=BatchPolicy(size=2),
    )
    async with rig.running() as running:
        await running
    assert [(ids(one.records), one.reason) for one in to.confirmed] == [(["a"], SUCCESS)]
    assert [ids(one.records) for one in bad.confirmed] == [["b"]]


@virtual
async def test_what_failed_beside_it_waits_for_no_destination_of_what_succeeded() -> None:
    """Of a queue: given up, or back, each in its own time. Mutation (tried): one after the other."""

    async def fail_b(names: list[str], _: int) -> Outcome | None:
        return partial("b") if names == ["a", "b"] else None

    for retries, batches, given_up in ((0, ["a,b"], [["b"]]), (None, ["a,b", "b"], [])):
        queue, to, bad = MemoryQueue(visibility=3600), Moody(AWAY), Destination()
        queue.send("ab")
        policy, batch = FailurePolicy(retries=retries, backoff=1.0), BatchPolicy(size=2, window=1)
        rig = Rig(MemoryQueueLane(queue), fail_b, announce=to, discard=bad, failure=policy, batch=batch)
        async with rig.running():
            await asyncio.sleep(60)
            assert rig.handler.batches == batches
            assert [ids(one.records) for one in bad.confirmed] == given_up
            to.mood = CONFIRMED
            await asyncio.sleep(60)
            assert (rig.tally.succeeded, rig.tally.delivered) == (2 - len(given_up), len(given_up))


@virtual
async def test_a_stop_gives_back_what_was_not_told() -> None:
    """Mutations: settled though nobody was told; a stop that waits for ever."""
    for lane_of in (lambda: log_of("a").lane("s"), lambda: MemoryQueueLane(_queue())):
        rig = Rig(lane_of(), announce=Moody(AWAY))
        async with rig.running():
            await asyncio.sleep(60)
        assert rig.tally.succeeded == 0
        assert rig.tally.returned + rig.tally.abandoned == 1


def _queue() -> MemoryQueue:
    queue = MemoryQueue()
    queue.send("a")
    return queue


@virtual
async def test_one_that_is_refused_keeps_no_place_and_runs_no_more() -> None:
    """Mutations: it stops its mapping; given back, it runs again; it shows as if it would be taken by itself."""
    to = Moody(CONFIRMED, a=TOO_LARGE)
    queue = MemoryQueue()
    queue.send("ab")
    rig = Rig(MemoryQueueLane(queue), announce=to, concurrency=1)
    async with rig.running():
        await asyncio.sleep(60)
        assert (rig.handler.batches, rig.tally.succeeded) == (["a", "b"], 1)
        condition = rig.work.unsent.condition(0.0)
        assert condition is not None
        assert condition.state == "refused"
        to.says.clear()
        await asyncio.sleep(60)
        assert (rig.tally.succeeded, rig.work.slots.aside) == (2, 0)
