"""Records that count as one: which is run, which is settled without, which waits; in one batch, lane, process or two.

The key of a record is the first letter of its id.
"""

from __future__ import annotations

import asyncio

import pytest

from headrace.batcher import BatchPolicy
from headrace.destination import CONFIRMED
from headrace.model import Order
from headrace.once import BEGIN_WITHIN, MARGIN
from headrace.parting import LOOK_AGAIN
from headrace.policy import FailurePolicy
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, virtual
from headrace.verdict import LAPSED
from headrace.verdicts import State
from support.engine import AWAY, Moody, Rig, error, ok, partial
from support.keyed import EXPIRES, LASTS, Shop

HOLD = BEGIN_WITHIN + LASTS + MARGIN


def now() -> float:
    return asyncio.get_running_loop().time()


def log_rig(shop, names, behave=None, **more):
    log = MemoryLog(page=100)
    log.put(names)
    return Rig(log.lane(), behave, once=shop.once, **more)


def queue_rig(shop, names, behave=None, *, order=Order.NONE, keys=None, visibility=60, **more):
    queue = MemoryQueue(visibility=visibility)
    queue.send(names, keys)
    return Rig(MemoryQueueLane(queue, order=order), behave, once=shop.once, **more)


async def carried(rig, count, shop):
    """One batch of *count* records, to the end of what it left behind."""
    async with shop.shared.holds.kept():
        await rig.work.carry(await rig.hold(count))
    assert rig.tally.balance == 0
    assert rig.tally.in_flight == 0
    return rig


def names(text: str) -> list[str]:
    return text.split()


@virtual
async def test_what_was_run_before_is_settled_without():
    """By another process too. Mutation, tried: a verdict that is not looked at."""
    shop = Shop()
    await carried(queue_rig(shop, names("a1 b1")), 2, shop)
    other = Shop(shop.store, "other")
    rig = await carried(queue_rig(other, names("a2 c1 b2")), 3, other)
    assert rig.handler.batches == ["c1"]
    assert sorted(rig.lane.acked) == ["a2", "b2", "c1"]
    assert (rig.tally.deduplicated, rig.tally.succeeded, rig.tally.invoked) == (2, 1, 1)


@virtual
async def test_a_verdict_is_forgotten_when_it_expires():
    shop = Shop()
    await carried(queue_rig(shop, ["a1"]), 1, shop)
    await asyncio.sleep(EXPIRES + 1)
    rig = await carried(queue_rig(shop, ["a2"]), 1, shop)
    assert rig.handler.batches == ["a2"]


@virtual
async def test_of_one_batch_the_second_waits_for_the_verdict_of_the_first():
    """Mutation, tried: both in one piece (a1,b1,a2)."""
    shop = Shop()
    rig = await carried(queue_rig(shop, names("a1 b1 a2 a3 b2")), 5, shop)
    assert rig.handler.batches == ["a1,b1"]
    assert rig.tally.deduplicated == 3


@virtual
async def test_of_one_batch_the_second_is_run_when_the_first_failed():
    async def behave(batch, _):
        return error() if "a1" in batch else None

    shop = Shop()
    rig = await carried(queue_rig(shop, names("a1 a2 a3"), behave), 3, shop)
    assert rig.handler.batches == ["a1", "a2"]
    assert (rig.tally.returned, rig.tally.succeeded, rig.tally.deduplicated) == (1, 1, 1)


@virtual
async def test_in_a_sequence_nothing_overtakes_what_waits():
    """Mutation, tried: the order of a queue (a1,b1,c1 in one)."""
    shop = Shop()
    rig = await carried(log_rig(shop, names("a1 b1 a2 c1 b2 d1")), 6, shop)
    assert rig.handler.batches == ["a1,b1", "c1,d1"]
    assert (rig.tally.succeeded, rig.tally.deduplicated) == (4, 2)


@virtual
async def test_in_a_sequence_a_batch_of_one_key_is_two_questions():
    """Catches: a question, and a write of the store, for each record that was run before."""
    shop = Shop()
    rig = await carried(log_rig(shop, [f"a{number}" for number in range(90)]), 90, shop)
    assert rig.handler.batches == ["a0"]
    assert [verb for verb, _ in shop.store.verbs] == ["begin", "finish", "begin"]
    assert rig.tally.deduplicated == 89


@virtual
async def test_in_a_sequence_the_first_is_run_again_before_the_second_is_looked_at():
    tries = []

    async def behave(batch, attempt):
        tries.append(attempt)
        return error() if len(tries) < 3 else None

    shop = Shop()
    rig = await carried(log_rig(shop, names("a1 a2 b1"), behave), 3, shop)
    assert rig.handler.calls == [("a1", 1), ("a1", 2), ("a1", 3), ("b1", 1)]
    assert rig.tally.deduplicated == 1


@virtual
async def test_in_key_order_only_its_group_waits():
    shop = Shop()
    rig = await carried(
        queue_rig(shop, names("a1 a2 b1 c1"), order=Order.KEY, keys=["g", "g", "g", "h"], batch=BatchPolicy(size=10)),
        4,
        shop,
    )
    assert rig.handler.batches == ["a1,c1", "b1"]


@virtual
async def test_of_a_partial_answer_what_succeeded_is_remembered_and_what_failed_is_free():
    """Mutation, tried: a finish of the whole batch."""

    async def behave(*_):
        return partial(["b1"])

    shop = Shop()
    await carried(queue_rig(shop, names("a1 b1 c1"), behave), 3, shop)
    assert [await shop.store.state(key) for key in "abc"] == [State.DONE, State.BEGUN, State.DONE]


@virtual
async def test_in_a_sequence_what_follows_a_failure_is_not_remembered():
    """It is delivered again, as Lambda does."""
    seen = []

    async def behave(batch, _):
        seen.append([await shop.store.state(key) for key in "abc"])
        return partial(["b1"]) if len(seen) == 1 else None

    shop = Shop()
    rig = await carried(log_rig(shop, names("a1 b1 c1"), behave), 3, shop)
    assert rig.handler.batches == ["a1,b1,c1", "b1,c1"]
    assert seen[1] == [State.DONE, State.HELD, State.HELD]


@virtual
async def test_what_is_given_up_is_not_remembered():
    """So the next of its key is run. Mutation: a verdict for whatever was settled."""

    async def behave(batch, _):
        return error() if "a1" in batch else None

    shop = Shop()
    rig = await carried(log_rig(shop, names("a1 a2"), behave, failure=FailurePolicy(retries=1)), 2, shop)
    assert rig.handler.batches == ["a1", "a1", "a2"]
    assert (rig.tally.dropped, rig.tally.succeeded) == (1, 1)


@pytest.mark.parametrize("make", [queue_rig, log_rig])
@virtual
async def test_what_is_run_elsewhere_waits_for_its_verdict(make):
    """In another lane, of this process or of another. Mutation, tried: what is held is run."""

    async def slow(*_):
        await asyncio.sleep(4)

    shop = Shop()
    other = Shop(shop.store, "other")
    one, two = make(shop, names("a1 b1"), slow), make(other, names("a2 c1"))
    async with other.shared.holds.kept(), asyncio.TaskGroup() as group:
        group.create_task(one.work.carry(await one.hold(2)))
        await asyncio.sleep(0.1)
        began = now()
        await two.work.carry(await two.hold(2))
    assert two.handler.batches == ["c1"]
    assert two.tally.deduplicated == 1
    assert 3.9 <= now() - began <= 4 + LOOK_AGAIN


@virtual
async def test_in_a_sequence_what_is_behind_one_that_waits_is_not_held():
    """Mutation: keys that are begun in vain, and kept."""
    shop = Shop()
    await shop.store.ledger.begin("m", ["a"], "other 1", 3.0)
    rig = log_rig(shop, names("a1 b1"))
    async with shop.shared.holds.kept():
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
        await asyncio.sleep(1)
        assert await shop.store.state("b") is State.BEGUN
        assert rig.work.doing.condition.state == "waiting"
        await carrying
    assert rig.handler.batches == ["a1", "b1"]


@virtual
async def test_a_crash_is_run_again_after_the_hard_stop_and_not_before():
    """Mutation, tried: a hold of half the time."""
    shop, began = Shop(), []

    async def never(*_):
        began.append(now())
        await asyncio.Event().wait()

    dead = queue_rig(shop, ["a1"], never)
    killed = asyncio.ensure_future(dead.work.carry(await dead.hold(1)))
    await asyncio.sleep(1)
    killed.cancel()  # and nobody lets go of anything
    rig = queue_rig(Shop(shop.store, "other"), ["a1"])
    await rig.work.carry(await rig.hold(1))
    (again,) = rig.handler.times
    assert again - began[0] >= LASTS
    assert again - began[0] <= HOLD + LOOK_AGAIN


@virtual
async def test_a_call_that_still_runs_after_its_time_out_holds_its_keys():
    """Mutations, tried: let go with the time-out; not prolonged while it runs."""
    ended = asyncio.get_running_loop().create_future()
    shop = Shop()

    async def hangs(*_):
        return error(ended)

    rig = queue_rig(shop, ["a1"], hangs)
    async with shop.shared.holds.kept():
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
        for _ in range(30):
            await asyncio.sleep(HOLD / 3)
            assert await shop.store.state("a") is State.HELD
        ended.set_result(None)
        await carrying
        await asyncio.sleep(0.1)
        assert await shop.store.state("a") is State.BEGUN


@virtual
async def test_a_lane_that_is_let_go_holds_what_a_call_of_its_own_still_has():
    """Its call was cancelled at the drain deadline, or with its lease, and a thread goes on."""
    shop, runs = Shop(), [True]

    async def never(*_):
        await asyncio.Event().wait()

    rig = queue_rig(shop, ["a1"], never)
    async with shop.shared.holds.kept():
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
        await asyncio.sleep(1)
        carrying.cancel()
        await asyncio.wait({carrying})
        rig.work.once.close(lambda: runs[0])
        await asyncio.sleep(10 * HOLD)
        assert await shop.store.state("a") is State.HELD
        runs[0] = False
        await asyncio.sleep(1)
        assert await shop.store.state("a") is State.BEGUN


@virtual
async def test_a_call_that_was_not_begun_in_time_is_asked_for_again():
    """At once: its hold may end before its hard stop. Mutation, tried: a key that stays held by nobody."""
    shop, tries = Shop(), []

    async def behave(batch, _):
        tries.append(batch)
        return ok(None) if len(tries) > 1 else type(ok())(ok().answer, LAPSED)

    rig = await carried(queue_rig(shop, ["a1"], behave), 1, shop)
    assert (len(tries), rig.tally.succeeded) == (2, 1)
    assert rig.handler.times[1] - rig.handler.times[0] < 0.1


@virtual
async def test_until_when_a_call_may_begin():
    shop = Shop()
    rig = queue_rig(shop, names("a1 -1"))
    records = await rig.hold(2)
    began = now()
    await rig.work.once.part(records)
    assert began < rig.work.once.until(records) <= now() + BEGIN_WITHIN
    assert rig.work.once.until(records[1:]) == float("inf")


@virtual
async def test_a_record_without_a_key_is_run_whenever_it_comes():
    """And said, once, without what the record holds."""
    shop = Shop()
    rig = await carried(queue_rig(shop, names("-1 a1 -2 !1 -3")), 5, shop)
    assert rig.handler.batches == ["-1,a1,-2,!1,-3"]
    (line,) = shop.lines.of("idempotency.no_key")
    assert line["ids"] == ["-1"]
    rig = await carried(queue_rig(shop, names("-1 !1")), 2, shop)
    assert rig.tally.succeeded == 2
    assert not [context for context in shop.lines.lines if "cannot take" in str(context)]


@virtual
async def test_without_the_store_nothing_is_run():
    """And the lane says so. Mutation, tried: run as if there were no keys."""
    shop = Shop()
    shop.store.away = True
    rig = queue_rig(shop, names("a1"))
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(30)
    assert rig.handler.batches == []
    condition = rig.work.once.condition
    assert condition.state == "waiting"
    assert "it is away" in condition.reason
    shop.store.away = False
    await carrying
    assert rig.handler.batches == ["a1"]
    assert rig.work.once.condition is None


@virtual
async def test_a_stop_gives_back_what_waits_for_the_store():
    shop = Shop()
    shop.store.away = True
    rig = queue_rig(shop, names("a1 b1"))
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
    await asyncio.sleep(30)
    rig.work.stopping.set()
    await asyncio.wait_for(carrying, 6)
    assert rig.lane.nacked == [("a1", 0.0), ("b1", 0.0)]
    assert rig.handler.batches == []


@virtual
async def test_a_stop_gives_back_what_waits_for_another():
    shop = Shop()
    await shop.store.ledger.begin("m", ["a"], "other 1", 600.0)
    rig = queue_rig(shop, names("a1"))
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(30)
    rig.work.stopping.set()
    await asyncio.wait_for(carrying, 1)
    assert rig.lane.nacked == [("a1", 0.0)]


@virtual
async def test_what_was_run_is_not_settled_before_it_is_remembered():
    """However long the store is away. Mutation, tried: settled first."""
    shop = Shop()

    async def behave(*_):
        shop.store.away = True

    rig = queue_rig(shop, names("a1"), behave)
    carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(1)))
    await asyncio.sleep(20)
    assert rig.lane.acked == []
    assert rig.work.once.condition.state == "waiting"
    shop.store.away = False
    await carrying
    assert rig.lane.acked == ["a1"]
    assert await shop.store.state("a") is State.DONE


@virtual
async def test_what_was_run_is_held_while_its_destination_is_away():
    """And remembered when that has confirmed: a kill in between repeats it, and loses no message. Mutation, tried: a
    hold that is not prolonged meanwhile."""
    shop, to = Shop(), Moody(AWAY)
    rig = queue_rig(shop, names("a1 b1"), announce=to, visibility=10_000)
    async with shop.shared.holds.kept():
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
        await asyncio.sleep(5 * HOLD)
        assert [await shop.store.state(key) for key in "ab"] == [State.HELD, State.HELD]
        to.mood = CONFIRMED
        await carrying
        await asyncio.sleep(HOLD)
        assert [await shop.store.state(key) for key in "ab"] == [State.DONE, State.DONE]
    assert rig.handler.batches == ["a1,b1"]
    assert not shop.lines.of("idempotency.overtaken")


@virtual
async def test_what_its_destination_did_not_take_is_not_remembered():
    """The lane is to stop: it comes again, and is run and told again. Mutation, tried: remembered before it is told."""
    shop = Shop()
    rig = queue_rig(shop, names("a1 b1"), announce=Moody(CONFIRMED, b1=AWAY))
    async with shop.shared.holds.kept():
        carrying = asyncio.ensure_future(rig.work.carry(await rig.hold(2)))
        await asyncio.sleep(5)
        rig.work.stopping.set()
        await carrying
    assert [await shop.store.state(key) for key in "ab"] == [State.DONE, State.BEGUN]
    assert rig.lane.nacked == [("b1", 0.0)]


@virtual
async def test_what_another_ran_meanwhile_is_said_and_settled():
    """A call that outlived its hold, as only a machine that stood still does."""
    shop = Shop()

    async def behave(*_):
        await asyncio.sleep(HOLD + 1)
        await shop.store.ledger.begin("m", ["a"], "other 1", 600.0)

    rig = await carried(queue_rig(shop, names("a1"), behave), 1, shop)
    assert rig.lane.acked == ["a1"]
    (line,) = shop.lines.of("idempotency.overtaken")
    assert line["records"] == 1


@virtual
async def test_holds_are_let_go_of_when_the_store_is_back():
    shop = Shop()
    async with shop.shared.holds.kept():
        await shop.store.ledger.begin("m", ["a"], "w 1", 600.0)
        shop.store.away = True
        shop.shared.holds.leave(["a"], "w 1")
        await asyncio.sleep(20)
        assert len(shop.lines.of("idempotency.not_prolonged")) == 1
        shop.store.away = False
        await asyncio.sleep(1)
        assert await shop.store.state("a") is State.BEGUN
