"""One batch, from its first attempt to a verdict for each of its records."""

from __future__ import annotations

import asyncio

import pytest

from headrace.batcher import BatchPolicy
from headrace.delivery import Outcome
from headrace.model import Answer, LaneLost, Order, Unreadable
from headrace.policy import EXHAUSTED, EXPIRED, FailurePolicy
from headrace.policy import UNREADABLE as UNREADABLE_REASON
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, virtual
from headrace.verdict import LAPSED, UNREADABLE
from support.engine import Destination, Rig, bad_answer, error, ids, ok, partial


def now() -> float:
    return asyncio.get_running_loop().time()


def log_rig(names, behave=None, **more):
    log = MemoryLog(page=100)
    log.put(names)
    return Rig(log.lane(), behave, **more)


def queue_rig(names, behave=None, *, order=Order.NONE, keys=None, **more):
    queue = MemoryQueue(visibility=30)
    queue.send(names, keys)
    return Rig(MemoryQueueLane(queue, order=order), behave, **more)


async def carried(rig, count):
    await rig.work.carry(await rig.hold(count))
    assert rig.tally.balance == 0
    return rig


@virtual
async def test_success_acks_all_and_counts():
    rig = await carried(queue_rig("abc"), 3)
    assert rig.lane.acked == ["a", "b", "c"]
    assert (rig.tally.succeeded, rig.tally.in_flight, rig.tally.invoked) == (3, 0, 3)
    assert rig.tally.age.total == 0
    assert rig.tally.duration.counts.count(1) == 1


@pytest.mark.parametrize("outcome", [error, bad_answer])
@virtual
async def test_a_failed_batch_of_a_queue_is_left_to_its_visibility(outcome):
    async def behave(*_):
        return outcome()

    rig = await carried(queue_rig("abc", behave), 3)
    assert rig.lane.nacked == [("a", None), ("b", None), ("c", None)]
    assert rig.lane.acked == []
    assert (rig.tally.returned, rig.tally.failed_invoke) == (3, 3)
    (line,) = rig.lines.of("batch.failed")
    assert (line["ids"], line["failed"], line["attempt"]) == (["a", "b", "c"], 3, 1)


@virtual
async def test_a_partial_failure_of_a_queue_deletes_the_rest():
    async def behave(*_):
        return partial("b")

    rig = await carried(queue_rig("abc", behave), 3)
    assert rig.lane.acked == ["a", "c"]
    assert rig.lane.nacked == [("b", None)]


@virtual
async def test_strict_fails_what_follows_in_the_group():
    async def behave(*_):
        return partial("a")

    policy = FailurePolicy(strict=True)
    rig = await carried(queue_rig("abc", behave, order=Order.KEY, keys=["x", "y", "x"], failure=policy), 3)
    assert rig.lane.acked == ["b"]
    assert [name for name, _ in rig.lane.nacked] == ["a", "c"]


@virtual
async def test_backoff_of_a_queue_follows_each_messages_count_of_deliveries():
    """Mutation: the batch's first count for all of it."""

    async def behave(*_):
        return error()

    rig = queue_rig("abc", behave, failure=FailurePolicy(backoff=1, ceiling=100))
    some = await rig.hold(3)
    for one, attempt in zip(some, (3, 1, 3), strict=True):
        one.attempt = attempt
    await rig.work.carry(some)
    assert rig.lane.nacked == [("b", 1), ("a", 4), ("c", 4)]
    assert rig.tally.balance == 0


@virtual
async def test_the_deadline_is_checked_before_every_attempt():
    """Mutation: a check before the first attempt only, with which a retry runs beside the new owner's."""

    async def behave(*_):
        return error()

    rig = log_rig("a", behave, failure=FailurePolicy(backoff=1, ceiling=1))
    some = await rig.hold(1)
    rig.lane._cursor.deadline = now() + 10
    with pytest.raises(LaneLost):
        async with asyncio.timeout(100):
            await rig.work.carry(some)
    assert len(rig.handler.times) > 5
    assert max(rig.handler.times) < rig.lane.deadline
    assert rig.lane.held.records == 1


@virtual
async def test_at_the_deadline_nothing_is_attempted():
    rig = log_rig("a")
    some = await rig.hold(1)
    rig.lane._cursor.deadline = now()
    with pytest.raises(LaneLost):
        await rig.work.carry(some)
    assert rig.handler.calls == []


@virtual
async def test_while_a_lane_is_in_doubt_nothing_is_attempted():
    """Mutation (tried): a doubt that is not waited for."""
    rig = log_rig("a")
    some = await rig.hold(1)
    doubt = rig.lane._cursor.doubt = asyncio.Event()
    carrying = asyncio.ensure_future(rig.work.carry(some))
    await asyncio.sleep(5)
    assert rig.handler.calls == []
    rig.lane._cursor.doubt = None
    doubt.set()
    await carrying
    assert rig.handler.calls == [("a", 1)]


@virtual
async def test_a_doubt_that_ends_with_the_lane_ends_the_attempt():
    """Mutation (tried): the deadline is looked at before the doubt is waited for."""
    rig = log_rig("a")
    some = await rig.hold(1)
    doubt = rig.lane._cursor.doubt = asyncio.Event()
    carrying = asyncio.ensure_future(rig.work.carry(some))
    await asyncio.sleep(5)
    rig.lane._cursor.doubt, rig.lane._cursor.deadline = None, now()
    doubt.set()
    with pytest.raises(LaneLost):
        await carrying
    assert rig.handler.calls == []


@virtual
async def test_the_deadline_is_checked_again_after_a_destination_that_took_its_time():
    """Mutation: checks in an order that leaves an await between the deadline and the attempt."""
    destination = Destination(delay=100)
    rig = log_rig("a", failure=FailurePolicy(max_age=60), discard=destination)
    await asyncio.sleep(61)
    rig.lane._reader._log.put("b")
    some = await rig.hold(2)
    rig.lane._cursor.deadline = now() + 50
    with pytest.raises(LaneLost):
        await rig.work.carry(some)
    assert rig.handler.calls == []


@virtual
async def test_a_message_whose_visibility_ran_out_is_not_dispatched():
    """Rule 7. Mutation: no look at `until`: two handlers have the message at once."""
    rig = queue_rig("abc")
    some = await rig.hold(3)
    some[1].until = now()
    await rig.work.carry(some)
    assert rig.handler.batches == ["a,c"]
    assert rig.lane.nacked == [("b", None)]
    assert (rig.tally.lapsed, rig.tally.abandoned, rig.tally.balance) == (1, 1, 0)


@virtual
async def test_nothing_is_called_when_all_has_lapsed():
    rig = queue_rig("ab")
    some = await rig.hold(2)
    await asyncio.sleep(30)
    await rig.work.carry(some)
    assert rig.handler.calls == []
    assert (rig.tally.lapsed, rig.tally.in_flight, rig.tally.balance) == (2, 0, 0)


@virtual
async def test_a_second_copy_of_a_lapsed_message_is_not_lapsed():
    """Mutation: telling lapsed messages by their ids."""
    rig = queue_rig("a")
    (old,) = await rig.hold(1)
    await asyncio.sleep(30)
    (new,) = await rig.hold(1)
    await rig.work.carry([old, new])
    assert rig.handler.batches == ["a"]
    assert (rig.tally.lapsed, rig.tally.succeeded, rig.tally.balance) == (1, 1, 0)


@virtual
async def test_a_lapsed_message_holds_back_the_rest_of_its_group():
    """Rule 7. Mutation: the rest is dispatched, and the group is handled out of order."""
    rig = queue_rig("abcd", order=Order.KEY, keys=["x", "x", "y", "x"])
    some = await rig.hold(4)
    some[1].until = now()
    await rig.work.carry(some)
    assert rig.handler.batches == ["a,c"]
    assert rig.tally.lapsed == 2


@virtual
async def test_the_budget_is_the_attempts_after_the_first():
    async def behave(*_):
        return error()

    destination = Destination()
    rig = await carried(log_rig("ab", behave, failure=FailurePolicy(retries=2), discard=destination), 2)
    assert rig.handler.calls == [("a,b", 1), ("a,b", 2), ("a,b", 3)]
    (gone,) = destination.confirmed
    assert (ids(gone.records), gone.reason, gone.attempts) == (["a", "b"], EXHAUSTED, 3)
    assert gone.outcome.verdict.failure is not None
    assert (rig.tally.delivered, rig.tally.dropped, rig.lane.held.records) == (2, 0, 0)


@virtual
async def test_the_remainder_after_progress_is_a_new_batch():
    """As recorded on AWS (lambda-semantics 4.2): 6 is delivered five times, its failure record counts 4."""

    async def behave(batch, _):
        return partial("6") if "6" in batch else None

    destination = Destination()
    rig = await carried(log_rig("456", behave, failure=FailurePolicy(retries=3), discard=destination), 3)
    assert rig.handler.calls == [("4,5,6", 1), ("6", 1), ("6", 2), ("6", 3), ("6", 4)]
    assert destination.confirmed[0].attempts == 4
    assert (rig.tally.succeeded, rig.tally.delivered) == (2, 1)


@virtual
async def test_partial_without_progress_counts_as_an_exception():
    async def behave(*_):
        return partial("a")

    rig = await carried(log_rig("ab", behave, failure=FailurePolicy(retries=2)), 2)
    assert rig.handler.calls == [("a,b", 1), ("a,b", 2), ("a,b", 3)]
    assert rig.tally.dropped == 2
    assert rig.lines.of("records.dropped")


@virtual
async def test_what_follows_a_failure_in_a_sequence_comes_again():
    async def behave(batch, attempt):
        return partial("b") if batch == ["a", "b", "c"] else None

    rig = await carried(log_rig("abc", behave), 3)
    assert rig.handler.batches == ["a,b,c", "b,c"]


@virtual
async def test_halves_are_tried_in_order_and_only_the_poison_pays():
    """Mutations: the later half first; a split that costs an attempt; the budget spent on a piece of many."""

    async def behave(batch, _):
        return error() if "c" in batch else None

    destination = Destination()
    policy = FailurePolicy(retries=1, bisect=True)
    rig = await carried(log_rig("abcd", behave, failure=policy, discard=destination), 4)
    assert rig.handler.calls == [("a,b,c,d", 1), ("a,b", 1), ("c,d", 1), ("c", 1), ("c", 2), ("d", 1)]
    assert [ids(gone.records) for gone in destination.confirmed] == [["c"]]
    assert rig.lane.held.records == 0


@virtual
async def test_bisection_cuts_at_the_reported_record_where_there_is_progress():
    async def behave(batch, _):
        return partial("c") if batch == ["a", "b", "c", "d"] else None

    rig = await carried(log_rig("abcd", behave, failure=FailurePolicy(bisect=True)), 4)
    assert rig.handler.batches == ["a,b,c,d", "c,d"]


@virtual
async def test_an_expired_prefix_is_given_up_before_the_attempt():
    destination = Destination()
    rig = log_rig("ab", failure=FailurePolicy(max_age=60), discard=destination)
    await asyncio.sleep(61)
    rig.lane._reader._log.put("c")
    await carried(rig, 3)
    assert rig.handler.batches == ["c"]
    (gone,) = destination.confirmed
    assert (ids(gone.records), gone.reason, gone.outcome) == (["a", "b"], EXPIRED, None)


@virtual
async def test_age_is_looked_at_again_between_retries():
    """Mutation: a look before the first attempt only: a poison record blocks its shard past its age."""

    async def behave(*_):
        return error()

    rig = await carried(log_rig("a", behave, failure=FailurePolicy(max_age=60, backoff=1, ceiling=10)), 1)
    assert len(rig.handler.calls) > 5
    assert rig.tally.dropped == 1
    assert rig.lines.of("records.dropped")[0]["reason"] == EXPIRED


@virtual
async def test_a_step_of_the_wall_clock_moves_no_deadline():
    rig = log_rig("a")
    some = await rig.hold(1)
    rig.lane._cursor.deadline = now() + 10
    rig.work.clock.step(3600)
    await rig.work.carry(some)
    assert rig.tally.succeeded == 1


@virtual
async def test_a_destination_confirms_before_its_records_are_settled():
    """Rule 9. Mutation: ack before the destination has confirmed."""

    async def behave(*_):
        return error()

    rig = log_rig("a", behave, failure=FailurePolicy(retries=0), discard=Destination(delay=50))
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(49)
    assert rig.lane.held.records == 1
    assert (rig.tally.delivered, rig.tally.in_flight, rig.tally.balance) == (0, 1, 0)
    await carrying
    assert rig.lane.held.records == 0
    assert (rig.tally.delivered, rig.tally.in_flight, rig.tally.balance) == (1, 0, 0)


@virtual
async def test_a_lane_that_is_lost_while_a_destination_confirms_keeps_the_accounts_right():
    async def behave(*_):
        rig.lane.lose()
        return error()

    queue = MemoryQueue()
    queue.send("ab")
    rig = Rig(MemoryQueueLane(queue), behave, failure=FailurePolicy(max_age=60), discard=Destination())
    await asyncio.sleep(61)
    some = await rig.hold(2)
    rig.lane.lose()
    with pytest.raises(LaneLost):
        await rig.work.carry(some)
    assert rig.tally.balance == 0


@virtual
async def test_a_stop_interrupts_the_back_off_and_gives_every_piece_back():
    """Rule 11. Mutation: sleeping out the back-off."""

    async def behave(batch, _):
        return error() if "a" in batch else None

    rig = log_rig("abcd", behave, failure=FailurePolicy(bisect=True, backoff=1000, ceiling=1000))
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(4)))
    await asyncio.sleep(1)
    start = now()
    rig.work.stopping.set()
    await carrying
    assert now() == start
    assert rig.handler.batches == ["a,b,c,d", "a,b", "a"]
    assert (rig.tally.returned, rig.tally.in_flight, rig.tally.balance) == (4, 0, 0)
    assert rig.lane.held.records == 4


@virtual
async def test_a_sequence_waits_until_a_call_that_timed_out_has_really_ended():
    """Rule 15. Mutation: a retry beside the thread that still handles the same records."""
    ended = asyncio.get_running_loop().create_future()

    async def behave(_, attempt):
        return error(lingering=ended) if attempt == 1 else ok()

    rig = log_rig("a", behave, failure=FailurePolicy(backoff=1))
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(500)
    assert len(rig.handler.calls) == 1
    assert rig.lines.of("handler.still_running")
    ended.set_result(None)
    await carrying
    assert len(rig.handler.calls) == 2


@virtual
async def test_a_queue_gives_back_at_once_but_keeps_the_place():
    ended = asyncio.get_running_loop().create_future()

    async def behave(*_):
        return error(lingering=ended)

    rig = queue_rig("a", behave)
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(500)
    assert rig.lane.nacked == [("a", None)]
    assert not carrying.done()
    rig.work.stopping.set()
    await carrying


@virtual
async def test_in_key_order_a_hung_call_keeps_its_groups():
    """Rule 15. Mutation: giving back before the thread has ended; a stop that gives back what still runs."""
    ended = asyncio.get_running_loop().create_future()

    async def behave(*_):
        return error(lingering=ended)

    rig = queue_rig("ab", behave, order=Order.KEY, keys="xy")
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
    await asyncio.sleep(10)
    rig.work.stopping.set()
    await asyncio.sleep(10)
    assert rig.lines.of("handler.still_running")
    assert (rig.lane.nacked, rig.lane.held.records, rig.work.slots.hung) == ([], 2, 1)
    ended.set_result(None)
    await carrying
    assert (rig.lane.nacked, rig.work.slots.hung) == ([("a", None), ("b", None)], 0)


@virtual
async def test_in_key_order_a_failure_holds_back_what_follows_in_a_later_piece_of_its_batch():
    """A receive above 6 MB is handed over in pieces. Mutation: the later piece overtakes."""

    async def behave(batch, _):
        return partial("b") if "b" in batch else ok()

    rig = queue_rig("abcde", behave, order=Order.KEY, keys="xyyxy", batch=BatchPolicy(size=10, nbytes=250))
    await rig.work.carry(await rig.hold(5))
    assert rig.handler.batches == ["a,b", "d"]
    assert rig.lane.acked == ["a", "d"]
    assert sorted(rig.lane.nacked) == [("b", None), ("c", None), ("e", None)]
    assert (rig.tally.returned, rig.tally.balance) == (3, 0)


@virtual
async def test_a_call_that_came_too_late_is_none():
    """The process was stopped on the way to the handler. Mutation: counting it as invoked, or as a failure."""
    rig = queue_rig("ab", None, order=Order.KEY, keys="xy")
    some = await rig.hold(2)

    async def behave(batch, _):
        some[0].until = now()
        return Outcome(Answer(request_id="r", duration=0.0, lapsed=True), LAPSED) if "a" in batch else ok()

    rig.handler.behave = behave
    await rig.work.carry(some)
    assert rig.handler.batches == ["a,b", "b"]
    assert (rig.lane.nacked, rig.lane.acked) == ([("a", None)], ["b"])
    assert (rig.tally.invoked, rig.tally.failed_invoke, rig.tally.lapsed, rig.tally.balance) == (1, 0, 1, 0)
    assert rig.work.slots.limit == rig.plan.concurrency


@virtual
async def test_what_no_event_can_show_goes_by_itself_and_the_others_are_tried():
    """Mutations: the whole batch fails; one reason for all; an attempt spent; the others out of order."""

    async def behave(batch, _):
        return Outcome(Answer(request_id="", duration=0.0), UNREADABLE) if {"x", "y", "z"} & set(batch) else ok()

    destination = Destination()
    rig = log_rig("axbyzc", behave, discard=destination, failure=FailurePolicy(retries=0))
    reasons = {"x": "no JSON", "y": "a tombstone", "z": "no JSON"}
    some = [
        Unreadable(one.id, reasons[one.id], None, at=one.at, size=one.size, token=one.token)
        if one.id in reasons
        else one
        for one in await rig.hold(6)
    ]
    for number, one in enumerate(some):
        one.number = number
    await rig.work.carry(some)
    assert rig.handler.calls == [("a,x,b,y,z,c", 1), ("a,b,c", 1)]
    first, second = destination.confirmed
    assert (ids(first.records), ids(second.records)) == (["x", "z"], ["y"])
    assert (first.reason, first.outcome.answer.failure.message) == (UNREADABLE_REASON, "no JSON")
    assert (rig.tally.delivered, rig.tally.succeeded, rig.tally.invoked, rig.tally.failed) == (3, 3, 3, 0)
    assert (rig.tally.balance, rig.lane.held.records) == (0, 0)
    assert [line["error"] for line in rig.lines.of("records.unreadable")] == ["no JSON", "a tombstone"]


@virtual
async def test_failed_invocations_halve_the_places_and_partial_ones_do_not():
    """Lambda does not slow its polling on partial failures (lambda-semantics 4.2)."""
    outcomes = iter([partial("a"), error(), bad_answer(), ok()])

    async def behave(*_):
        return next(outcomes)

    rig = queue_rig("abcd", behave, concurrency=8)
    limits = []
    for _ in range(4):
        await carried(rig, 1)
        limits.append(rig.work.slots.limit)
    assert limits == [8, 4, 2, 2]
