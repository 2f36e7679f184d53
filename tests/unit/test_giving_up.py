"""What a policy gives up: sent until the destination has confirmed it, and settled no sooner."""

from __future__ import annotations

import asyncio

import pytest

from headrace.destination import CONFIRMED
from headrace.model import LaneLost, Order
from headrace.policy import EXHAUSTED, FailurePolicy
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, tended, virtual
from support.engine import AWAY, TOO_LARGE, Destination, Moody, Rig, error, ids, partial


def queue_rig(names, destination, *, failed=None, order=Order.NONE, keys=None, visibility=30, **policy):
    """A queue whose handler fails *failed*, or the whole batch."""

    async def behave(*_):
        return error() if failed is None else partial(failed)

    queue = MemoryQueue(visibility=visibility)
    queue.send(names, keys)
    failure = FailurePolicy(**{"retries": 0, **policy})
    return Rig(MemoryQueueLane(queue, order=order), behave, failure=failure, discard=destination)


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual
async def test_only_what_was_delivered_too_often_is_given_up():
    """Each record by its own count, not its batch's. Mutation: the first count for all."""
    destination = Destination()
    rig = queue_rig("abc", destination, retries=2)
    some = await rig.hold(3)
    for one, attempt in zip(some, (3, 1, 4), strict=True):
        one.attempt = attempt
    await rig.work.carry(some)
    (gone,) = destination.confirmed
    assert (ids(gone.records), gone.reason) == (["a", "c"], EXHAUSTED)
    assert gone.outcome.verdict.failure is not None
    assert rig.lane.acked == ["a", "c"]
    assert rig.lane.nacked == [("b", None)]
    assert (rig.tally.delivered, rig.tally.returned, rig.tally.dropped, rig.tally.balance) == (2, 1, 0, 0)


@virtual
async def test_in_a_group_only_those_that_the_handler_named_pay():
    """Strict order fails c for a's sake. Mutation: c is given up with it, although it may be sound."""
    destination = Destination()
    rig = queue_rig("abc", destination, failed="a", order=Order.KEY, keys=["x", "y", "x"], strict=True)
    await rig.work.carry(await rig.hold(3))
    assert [ids(gone.records) for gone in destination.confirmed] == [["a"]]
    assert rig.lane.acked == ["b", "a"]
    assert rig.lane.nacked == [("c", None)]


@virtual
async def test_without_a_destination_it_is_dropped_and_said():
    async def behave(*_):
        return error()

    queue = MemoryQueue()
    queue.send("ab")
    rig = Rig(MemoryQueueLane(queue), behave, failure=FailurePolicy(retries=0))
    await rig.work.carry(await rig.hold(2))
    assert (rig.tally.dropped, rig.tally.delivered, rig.tally.balance) == (2, 0, 0)
    assert rig.lines.of("records.dropped")[0]["ids"] == ["a", "b"]


@virtual
async def test_a_destination_that_is_away_holds_its_records_and_says_so():
    """Rule 9. Mutations: settled when the sending fails; dropped; no word of it while it lasts, or after it."""
    destination = Moody(AWAY)
    rig = queue_rig("ab", destination)
    async with tended(rig.lane):
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
        await asyncio.sleep(600)
        assert rig.lane.acked == rig.lane.nacked == []
        assert rig.tally.in_flight == 2
        assert rig.tally.delivery_errors == 2 * len(destination.asked) > 2
        assert 20 < len(destination.asked) < 600
        condition = rig.work.unsent.condition(now())
        assert (condition.state, condition.ready) == ("holding", False)
        assert "2 records" in condition.reason
        assert "it is away" in condition.reason
        (first, *_) = rig.lines.of("destination.unavailable")
        assert "it is away" in first["error"]
        destination.mood = CONFIRMED
        await carrying
    assert rig.lane.acked == ["a", "b"]
    assert rig.work.unsent.condition(now()) is None
    assert (rig.tally.delivered, rig.tally.balance) == (2, 0)


@virtual
async def test_what_was_confirmed_is_settled_at_once_and_only_the_rest_is_sent_again():
    """Mutations: all of the batch sent again; the confirmed wait for the others."""
    destination = Moody(b=AWAY)
    rig = queue_rig("abc", destination)
    async with tended(rig.lane):
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(3)))
        await asyncio.sleep(60)
        assert rig.lane.acked == ["a", "c"]
        assert (rig.tally.delivered, rig.tally.in_flight) == (2, 1)
        assert set(destination.asked[1:]) == {"b"}
        destination.says.clear()
        await carrying
    assert rig.lane.acked == ["a", "c", "b"]


@virtual
async def test_what_the_destination_can_never_take_stays_at_the_source_and_is_told():
    """It comes again by itself. Mutations: deleted or dropped; held for ever; sent again and again; not in /readyz."""
    destination = Moody(b=TOO_LARGE)
    rig = queue_rig("ab", destination)
    async with tended(rig.lane):
        await rig.work.carry(await rig.hold(2))
        assert rig.lane.acked == ["a"]
        assert rig.lane.nacked == [("b", None)]
        assert destination.asked == ["a,b"]
        assert (rig.tally.refused, rig.tally.returned, rig.tally.delivered, rig.tally.balance) == (1, 1, 1, 0)
        assert rig.lines.of("record.refused_by_destination")[0]["ids"] == ["b"]
        condition = rig.work.unsent.condition(now())
        assert condition.state == "refused"
        assert "b: it is too large" in condition.reason
        rig.handler.behave = None
        await asyncio.sleep(31)
        await rig.work.carry(await rig.hold(1))
        assert rig.lane.acked == ["a", "b"]
        assert rig.work.unsent.condition(now()) is None


@virtual
async def test_a_record_whose_time_is_over_while_the_destination_is_away_is_neither_sent_nor_deleted():
    """It may be at another consumer by now. Mutation: no look at `until` between two tries."""
    destination = Moody(AWAY)
    rig = queue_rig("ab", destination)
    rig.lane.renewing = False
    async with tended(rig.lane):
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
        await asyncio.sleep(25)
        asked = len(destination.asked)
        asyncio.get_running_loop().call_later(10, setattr, destination, "mood", CONFIRMED)
        await carrying
    assert rig.lane.acked == []
    assert [name for name, _ in rig.lane.nacked] == ["a", "b"]
    assert asked > 1
    assert (rig.tally.abandoned, rig.tally.delivered, rig.tally.balance) == (2, 0, 0)
    assert rig.work.unsent.condition(now()) is None


@virtual
async def test_a_stop_gives_back_at_once():
    """Rule 11; a parked poll must still be there to meet it. Mutations: waiting out the back-off; one more try."""
    destination = Moody(AWAY)
    rig = queue_rig("a", destination)
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(20)
    before, start = len(destination.asked), now()
    rig.work.stopping.set()
    await carrying
    assert now() == start
    assert len(destination.asked) == before
    assert rig.lane.nacked == [("a", 0.0)]
    assert (rig.tally.returned, rig.tally.delivered, rig.tally.balance) == (1, 0, 0)


@virtual
async def test_a_stop_lets_a_sending_that_is_under_way_end_well():
    destination = Destination(delay=5)
    rig = queue_rig("a", destination)
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(1)
    rig.work.stopping.set()
    await carrying
    assert rig.lane.acked == ["a"]


@virtual
async def test_a_destination_that_hangs_holds_a_stop_no_longer_than_the_drain():
    """Mutation: the drain waits for the destination."""
    rig = queue_rig("a", Destination(delay=10_000))
    async with rig.running() as running:
        await asyncio.sleep(5)
        start = now()
        rig.pipeline.stop(7)
        ending = await running
    assert now() - start < 8
    assert ending.left == 1
    assert rig.lane.acked == []


@virtual
async def test_a_lane_that_is_lost_meanwhile_settles_nothing():
    async def behave(*_):
        return error()

    log = MemoryLog(page=10)
    log.put("a")
    destination = Moody(AWAY)
    rig = Rig(log.lane(), behave, failure=FailurePolicy(retries=0), discard=destination)
    some = await rig.hold(1)
    rig.lane._cursor.deadline = now() + 30
    with pytest.raises(LaneLost):
        await rig.work.carry(some)
    assert rig.lane.held.records == 1
    assert len(destination.asked) > 1


@virtual
async def test_a_log_holds_its_place_for_what_a_destination_refuses():
    """No source brings it again. Mutation: given back, with which the watermark never moves again."""

    async def behave(*_):
        return error()

    log = MemoryLog(page=10)
    log.put("a")
    destination = Moody(TOO_LARGE)
    rig = Rig(log.lane(), behave, failure=FailurePolicy(retries=0), discard=destination)
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(100)
    assert rig.lane.held.records == 1
    assert "it is too large" in rig.work.unsent.condition(now()).reason
    destination.mood = CONFIRMED
    await carrying
    assert (rig.lane.held.records, rig.tally.delivered) == (0, 1)
