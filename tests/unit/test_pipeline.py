"""One lane from its first fetch to its last settlement: room, order, stop, loss."""

from __future__ import annotations

import asyncio

import pytest

from headrace.batcher import BatchPolicy
from headrace.pipeline import End, Ending
from headrace.policy import FailurePolicy
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, virtual
from support.engine import Rig, error, ok

DIGITS = [f"{number:02}" for number in range(40)]


def now() -> float:
    return asyncio.get_running_loop().time()


def queue_of(names=(), **settings):
    queue = MemoryQueue(**settings)
    queue.send(names)
    return queue


def log_of(names, keys=None, *, sealed=True, page=10):
    log = MemoryLog(page=page)
    log.put(names, keys)
    if sealed:
        log.seal()
    return log


def slow(seconds):
    async def behave(*_):
        await asyncio.sleep(seconds)

    return behave


# ---- rule 7: room


@virtual
async def test_a_saturated_handler_burns_no_delivery_attempt():
    """Rule 7. Mutation: fetching up to the capacity, whatever the places."""
    queue = queue_of(DIGITS, visibility=100)
    rig = Rig(MemoryQueueLane(queue), slow(10), batch=BatchPolicy(size=2), concurrency=3)
    async with rig.running():
        await asyncio.sleep(5)
        assert len(queue.deliveries) == 6
        await asyncio.sleep(1000)
    assert queue.deliveries == [(name, 1) for name in DIGITS]
    assert sorted(queue.deleted) == DIGITS
    assert rig.handler.most == 3


@virtual
async def test_records_that_wait_for_their_batch_have_their_place_already():
    """Mutation: room without what waits: a window's worth is received twice over."""
    queue = queue_of(DIGITS[:3], visibility=1000)
    rig = Rig(MemoryQueueLane(queue), slow(10), batch=BatchPolicy(size=5, window=100), concurrency=1)
    async with rig.running():
        await asyncio.sleep(1)
        queue.send(DIGITS[3:10])
        await asyncio.sleep(1)
        assert rig.handler.calls == [("00,01,02,03,04", 1)]
        assert len(queue.deliveries) == 5


@pytest.mark.parametrize("order", ["records", "bytes"])
@virtual
async def test_a_queue_holds_no_more_than_its_capacity(order):
    limits = {"capacity": 4} if order == "records" else {"capacity_bytes": 4 * 102}
    queue = queue_of(DIGITS, visibility=1000)
    rig = Rig(MemoryQueueLane(queue), slow(10), concurrency=20, batch=BatchPolicy(size=1), **limits)
    most = 0

    async def watch():
        nonlocal most
        while True:
            most = max(most, rig.lane.held.records)
            await asyncio.sleep(0.5)

    watching = asyncio.ensure_future(watch())
    async with rig.running():
        await asyncio.sleep(500)
    watching.cancel()
    assert sorted(queue.deleted) == DIGITS
    assert most <= (4 if order == "records" else 3 + 10), "a receive that begins below it may pass it by its ten"


@virtual
async def test_one_poison_key_bounds_what_a_log_reads():
    """Its siblings go on until that is used up. Mutations: a capacity that counts only what is not settled: the
    watermark's memory grows without bound; a strand's failure that the others wait for.
    """
    keys = ["poison" if name == "03" else f"key{index % 7}" for index, name in enumerate(DIGITS)]
    log = log_of(DIGITS, keys)

    async def behave(batch, _):
        return error() if "03" in batch else None

    rig = Rig(log.lane(), behave, strands=8, capacity=16, failure=FailurePolicy(backoff=1, ceiling=1))
    async with rig.running() as task:
        await asyncio.sleep(100)
        assert rig.lane.held.records == 16
        assert rig.tally.polled <= 16 + 3
        assert not task.done()
        assert log.position == "00000002"
        handled = set(",".join(rig.handler.batches).split(","))
        waiting = set(DIGITS[: rig.tally.polled]) - handled
        assert {keys[int(name)] for name in waiting} == {"key5"}, "it shares the strand of the poison"
        rig.handler.behave = None
        assert (await task).how is End.ENDED
    assert log.finished


# ---- order


@pytest.mark.parametrize("strands", [1, 4])
@virtual
async def test_a_sequence_keeps_the_order_of_each_key(strands):
    """Mutation: strands by turns instead of by key."""
    keys = [f"key{index % 5}" for index in range(len(DIGITS))]
    log = log_of(DIGITS, keys)
    rig = Rig(log.lane(), slow(1), strands=strands, batch=BatchPolicy(size=3))
    async with rig.running() as task:
        assert await task == Ending(End.ENDED, 0)
    handled = ",".join(rig.handler.batches).split(",")
    for turn in range(5):
        assert [name for name in handled if int(name) % 5 == turn] == DIGITS[turn::5]
    assert rig.handler.most == (1 if strands == 1 else rig.handler.most)
    assert rig.handler.most <= strands
    if strands == 1:
        assert handled == DIGITS


@virtual
async def test_what_is_filtered_out_is_settled_and_never_handled():
    log = log_of(DIGITS)
    rig = Rig(log.lane(), keep=lambda record: int(record.id) % 2 == 0, batch=BatchPolicy(size=5))
    async with rig.running() as task:
        await task
    assert ",".join(rig.handler.batches).split(",") == DIGITS[::2]
    assert (rig.tally.filtered_out, rig.tally.succeeded) == (20, 20)
    assert log.finished


@virtual
async def test_a_log_of_nothing_but_filtered_records_moves_on():
    log = log_of(DIGITS)
    rig = Rig(log.lane(), keep=lambda _: False, capacity=10)
    async with rig.running() as task:
        assert (await task).how is End.ENDED
    assert log.finished
    assert rig.handler.calls == []


@virtual
async def test_a_lane_that_is_lost_while_filtering_keeps_the_accounts_right():
    queue = queue_of(DIGITS[:10])
    lane = MemoryQueueLane(queue)

    def keep(record):
        lane.lose()
        return record.id == "00"

    rig = Rig(lane, keep=keep, concurrency=20)
    async with rig.running() as task:
        assert (await task).how is End.LOST
    assert rig.tally.balance == 0


# ---- rule 11: stop, line by line


@virtual
async def test_stop_1_it_fetches_no_more_and_the_lane_gives_back_what_it_read_ahead():
    queue = queue_of(DIGITS, visibility=1000)
    rig = Rig(MemoryQueueLane(queue, ahead=True), slow(10), concurrency=3)
    async with rig.running() as task:
        await asyncio.sleep(1)
        receives = queue.receives
        assert len(queue.deliveries) == 10
        rig.pipeline.stop(60)
        await asyncio.sleep(1)
        assert queue.visible == len(DIGITS) - 3, "given back while the handlers still run"
        assert rig.handler.running == 3
        assert await task == Ending(End.STOPPED, 0)
    assert queue.receives == receives
    assert len(queue.deleted) == 3
    assert (rig.tally.polled, rig.tally.returned, rig.tally.succeeded) == (10, 7, 3)


@virtual
async def test_stop_2_what_waits_is_given_back_while_handlers_run():
    """Mutation: waiting for the handlers first: messages are hidden from others for the whole drain."""
    queue = queue_of(DIGITS[:5], visibility=1000)
    rig = Rig(MemoryQueueLane(queue), slow(100), batch=BatchPolicy(size=3, window=50), concurrency=2)
    async with rig.running() as task:
        await asyncio.sleep(1)
        assert rig.handler.batches == ["00,01,02"]
        rig.pipeline.stop(1000)
        await asyncio.sleep(1)
        assert rig.lane.nacked == [("03", 0.0), ("04", 0.0)]
        assert queue.visible == 2
        assert rig.handler.running == 1
        await task
    assert len(rig.handler.calls) == 1


@virtual
async def test_stop_2_a_back_off_is_interrupted():
    log = log_of(DIGITS)

    async def behave(*_):
        return error()

    rig = Rig(log.lane(), behave, failure=FailurePolicy(backoff=1000, ceiling=1000))
    async with rig.running() as task:
        await asyncio.sleep(1)
        start = now()
        rig.pipeline.stop(500)
        assert await task == Ending(End.STOPPED, 0)
        assert now() == start
    assert log.commits == []


@virtual
async def test_stop_3_what_is_at_a_handler_is_finished_and_settled():
    queue = queue_of(DIGITS[:3])
    rig = Rig(MemoryQueueLane(queue), slow(10))
    async with rig.running() as task:
        await asyncio.sleep(1)
        rig.pipeline.stop(60)
        await task
    assert sorted(queue.deleted) == DIGITS[:3]


@virtual
async def test_stop_4_what_is_still_at_a_handler_is_left_to_its_visibility():
    """Mutation: giving it back with 0: a second handler has it while the first still works."""
    queue = queue_of(DIGITS[:3], visibility=100)
    rig = Rig(MemoryQueueLane(queue), slow(1000))
    async with rig.running() as task:
        await asyncio.sleep(1)
        start = now()
        rig.pipeline.stop(20)
        assert await task == Ending(End.STOPPED, 3)
        assert now() == start + 20
    assert rig.lane.nacked == rig.lane.acked == []
    assert queue.visible == 0
    assert (rig.tally.abandoned, rig.tally.in_flight) == (3, 0)


@virtual
async def test_stop_4_a_log_is_read_again_from_its_committed_position():
    """Mutation: an ack for what was cancelled."""
    log = log_of(DIGITS)

    async def behave(batch, _):
        if batch == ["05"]:
            await asyncio.sleep(1000)

    rig = Rig(log.lane(), behave)
    async with rig.running() as task:
        await asyncio.sleep(1)
        rig.pipeline.stop(20)
        assert (await task).how is End.STOPPED
    assert log.position == "00000004"
    assert not log.finished


@virtual
async def test_stop_5_deletes_are_carried_out_before_the_lane_is_let_go():
    """Mutation: a close that forgets what was acked in the last moment."""
    queue = queue_of(DIGITS[:3])
    rig = Rig(MemoryQueueLane(queue))
    async with rig.running() as task:
        while len(rig.lane.acked) < 3:
            await asyncio.sleep(0)
        rig.pipeline.stop(0)
        await task
    assert sorted(queue.deleted) == DIGITS[:3]


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e-9])
@virtual
async def test_a_stop_with_no_time_still_gives_back_what_waits(seconds):
    """Mutation: at the drain deadline all is dropped as it stands, what no handler has seen with it."""
    queue = queue_of(DIGITS[:5], visibility=1000)
    rig = Rig(MemoryQueueLane(queue), slow(100), batch=BatchPolicy(size=3, window=500), concurrency=2)
    async with rig.running() as task:
        await asyncio.sleep(1)
        assert rig.handler.batches == ["00,01,02"]
        rig.pipeline.stop(seconds)
        assert await task == Ending(End.STOPPED, 3)
    assert queue.visible == 2


@virtual
async def test_a_stop_with_no_time_still_gives_back_what_was_read_ahead():
    """Mutation: the halt is cancelled with the rest."""
    queue = queue_of(DIGITS[:10], visibility=1000)
    rig = Rig(MemoryQueueLane(queue, ahead=True), slow(100), concurrency=2)
    async with rig.running() as task:
        await asyncio.sleep(1)
        rig.pipeline.stop(0)
        assert await task == Ending(End.STOPPED, 2)
    assert queue.visible == 8
    assert (rig.tally.polled, rig.tally.returned) == (10, 8)


@virtual
async def test_a_stop_before_the_start():
    queue = queue_of(DIGITS[:3])
    rig = Rig(MemoryQueueLane(queue))
    rig.pipeline.stop(10)
    assert await rig.pipeline.run() == Ending(End.STOPPED, 0)
    assert (rig.handler.calls, queue.deliveries) == ([], [])


@virtual
async def test_a_later_stop_may_shorten_but_not_lengthen():
    rig = Rig(MemoryQueueLane(queue_of(DIGITS[:1])), slow(1000))
    async with rig.running() as task:
        await asyncio.sleep(1)
        start = now()
        for seconds in (50, 20, 90):
            rig.pipeline.stop(seconds)
        assert (await task).left == 1
        assert now() == start + 20


@virtual
async def test_a_stop_in_a_records_window_gives_back_all_of_a_log_without_a_commit():
    log = log_of(DIGITS[:3], sealed=False)
    rig = Rig(log.lane(), batch=BatchPolicy(size=10, window=1000))
    async with rig.running() as task:
        await asyncio.sleep(1)
        rig.pipeline.stop(60)
        await task
    assert (rig.tally.returned, log.commits) == (3, [])


@virtual
async def test_a_source_that_cannot_be_reached_at_the_end_does_not_hold_the_exit():
    log = log_of(DIGITS, sealed=False)
    rig = Rig(log.lane(commit_interval=1000))
    async with rig.running() as task:
        await asyncio.sleep(1)
        log.away = True
        start = now()
        rig.pipeline.stop(60)
        await task
        assert now() - start <= 10
    assert rig.lines.of("lane.not_closed")


# ---- rule 15


@virtual
async def test_a_call_that_timed_out_keeps_its_place_until_it_ends():
    """Mutation: a place that is free at the time-out: hung threads multiply."""
    ended = asyncio.get_running_loop().create_future()

    async def behave(batch, _):
        return error(lingering=ended) if batch == ["00"] else None

    queue = queue_of(DIGITS[:3], visibility=10_000)
    rig = Rig(MemoryQueueLane(queue), behave, concurrency=1)
    async with rig.running():
        await asyncio.sleep(100)
        assert rig.handler.batches == ["00"]
        assert len(queue.deliveries) == 1
        ended.set_result(None)
        await asyncio.sleep(100)
        assert rig.handler.batches == ["00", "01", "02"]


@virtual
async def test_a_hung_thread_does_not_hold_the_stop_of_a_queue():
    ended = asyncio.get_running_loop().create_future()

    async def behave(*_):
        return error(lingering=ended)

    rig = Rig(MemoryQueueLane(queue_of(DIGITS[:1])), behave)
    async with rig.running() as task:
        await asyncio.sleep(1)
        start = now()
        rig.pipeline.stop(60)
        assert await task == Ending(End.STOPPED, 0)
        assert now() == start


@virtual
async def test_a_hung_thread_of_a_sequence_holds_it_no_longer_than_the_drain_deadline():
    ended = asyncio.get_running_loop().create_future()

    async def behave(*_):
        return error(lingering=ended)

    log = log_of(DIGITS[:1])
    rig = Rig(log.lane(), behave)
    async with rig.running() as task:
        await asyncio.sleep(1)
        rig.pipeline.stop(30)
        assert await task == Ending(End.STOPPED, 1)
    assert log.commits == []


# ---- leaving and losing


@virtual
async def test_a_lost_lane_settles_nothing():
    """Mutation: settling what the handler finished after the loss."""
    queue = queue_of(DIGITS, visibility=1000)
    cancelled = []

    async def behave(batch, _):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.extend(batch)
            raise

    rig = Rig(MemoryQueueLane(queue), behave, batch=BatchPolicy(size=2), concurrency=2)
    async with rig.running() as task:
        await asyncio.sleep(5)
        rig.lane.lose()
        assert await task == Ending(End.LOST, 4)
    assert sorted(cancelled) == DIGITS[:4]
    assert queue.deleted == rig.lane.acked == rig.lane.nacked == []
    assert queue.in_flight == 4
    assert (rig.tally.abandoned, rig.tally.in_flight) == (4, 0)


@virtual
async def test_a_stale_owner_of_a_log_is_stopped_and_writes_nothing():
    log = log_of(DIGITS)
    rig = Rig(log.lane(), slow(10))
    async with rig.running() as task:
        await asyncio.sleep(15)
        assert log.commits == [(1, "00000000")]
        log.seize()
        assert (await task).how is End.LOST
    assert log.commits == [(1, "00000000")]
    assert log.position == "00000000"


@virtual
async def test_a_loss_that_is_found_while_letting_go_is_a_loss():
    """Mutation: "stopped" for a lane whose last commit was refused."""
    log = log_of(DIGITS[:1], sealed=False)
    rig = Rig(log.lane(commit_interval=1000))
    async with rig.running() as task:
        await asyncio.sleep(1)
        log.seize()
        rig.pipeline.stop(60)
        assert (await task).how is End.LOST


@virtual
async def test_the_deadline_loses_a_lane_that_only_retries():
    async def behave(*_):
        return error()

    log = log_of(DIGITS[:1])
    rig = Rig(log.lane(), behave, failure=FailurePolicy(backoff=1, ceiling=1))
    log.cursor.deadline = now() + 30
    async with rig.running() as task:
        assert (await task).how is End.LOST
    assert now() <= START_OF_TIME + 32
    assert max(rig.handler.times) < log.cursor.deadline


START_OF_TIME = 1000.0


@virtual
async def test_a_lane_that_is_to_be_left_drains_in_the_time_allowed():
    queue = queue_of(DIGITS, visibility=1000)

    async def behave(batch, _):
        await asyncio.sleep(5 if batch == ["00"] else 100)

    rig = Rig(MemoryQueueLane(queue), behave, concurrency=2)
    async with rig.running() as task:
        await asyncio.sleep(1)
        start = now()
        rig.lane.ask_to_leave(20)
        assert await task == Ending(End.STOPPED, 1)
        assert now() == start + 20
    assert queue.deleted == ["00"]


@virtual
async def test_what_nobody_expected_closes_the_lane_and_is_raised():
    log = log_of(DIGITS)

    async def behave(batch, _):
        if batch == ["03"]:
            raise ZeroDivisionError
        return ok()

    rig = Rig(log.lane(commit_interval=1000), behave)
    with pytest.raises(ExceptionGroup) as caught:
        await rig.pipeline.run()
    assert caught.group_contains(ZeroDivisionError)
    assert log.position == "00000002"


# ---- what comes again


@virtual
async def test_a_message_that_lapsed_while_it_waited_is_not_dispatched():
    queue = queue_of(DIGITS[:3], visibility=20)
    rig = Rig(MemoryQueueLane(queue), batch=BatchPolicy(size=10, window=25), concurrency=1)
    rig.lane.renewing = False
    async with rig.running():
        await asyncio.sleep(26)
        assert rig.handler.batches == ["00,01,02"], "as they were received the second time"
        assert queue.deliveries == [(name, turn) for turn in (1, 2) for name in DIGITS[:3]]
        assert rig.tally.lapsed == 3
    assert sorted(queue.deleted) == DIGITS[:3]


@virtual
async def test_a_handler_slower_than_the_visibility_is_no_second_delivery():
    queue = queue_of(DIGITS[:3], visibility=10)
    rig = Rig(MemoryQueueLane(queue), slow(100))
    async with rig.running():
        await asyncio.sleep(200)
    assert queue.deliveries == [(name, 1) for name in DIGITS[:3]]


@virtual
async def test_poison_is_dead_after_exactly_its_deliveries():
    queue = queue_of(DIGITS[:5], visibility=10, max_receive_count=3)

    async def behave(batch, _):
        return error() if batch == ["02"] else None

    rig = Rig(MemoryQueueLane(queue), behave)
    async with rig.running():
        await asyncio.sleep(100)
    assert [message.id for message in queue.dead] == ["02"]
    assert rig.handler.batches.count("02") == 3


@virtual
async def test_places_are_halved_while_invocations_fail_and_come_back():
    failing = True

    async def behave(*_):
        await asyncio.sleep(1)
        return error() if failing else None

    queue = queue_of([f"{number:03}" for number in range(400)], visibility=5)
    rig = Rig(MemoryQueueLane(queue), behave, concurrency=8)
    async with rig.running():
        await asyncio.sleep(10)
        assert rig.work.slots.limit == 1
        failing = False
        rig.handler.most = 0
        await asyncio.sleep(300)
        assert rig.work.slots.limit == 8
        assert rig.handler.most == 8
    assert len(queue) == 0


@virtual
async def test_a_failed_delete_is_a_second_delivery_and_nothing_worse():
    queue = queue_of(DIGITS[:3], visibility=10)
    queue.refuse_deletes = 1
    rig = Rig(MemoryQueueLane(queue))
    async with rig.running():
        await asyncio.sleep(60)
    assert sorted(queue.deleted) == DIGITS[:3]
    assert len(queue.deliveries) == 4
    assert rig.lane.failed_deletes == 1


# ---- what a review found


@virtual
async def test_two_hung_calls_do_not_stop_a_lane_of_ten():
    """Rule 15. Mutation: the places of hung calls taken from those that the halving left."""
    queue = queue_of(["poison"], visibility=90)
    for_ever = asyncio.Event()

    async def behave(batch, _):
        return error(lingering=for_ever.wait()) if batch == ["poison"] else None

    rig = Rig(MemoryQueueLane(queue), behave, concurrency=10)
    async with rig.running():
        for number in range(6):
            await asyncio.sleep(60)
            queue.send([f"good-{number}"])
        await asyncio.sleep(60)
        assert rig.work.slots.hung >= 4
        assert sorted(queue.deleted) == [f"good-{number}" for number in range(6)]
        for_ever.set()


@virtual
async def test_a_drain_shorter_than_the_halt_still_gives_back_and_counts():
    """Rule 11. Mutation: a halt that the drain deadline cuts off, and that is not taken up again."""

    class SlowToHalt(MemoryQueueLane):
        async def halt(self):
            await asyncio.sleep(5)
            return await super().halt()

    queue = queue_of(DIGITS, visibility=600)
    rig = Rig(SlowToHalt(queue, ahead=True), slow(100), concurrency=3)
    async with rig.running() as task:
        await asyncio.sleep(1)
        rig.pipeline.stop(0.3)
        assert await task == Ending(End.STOPPED, 3)
    assert queue.in_flight == 3
    assert rig.tally.balance == 0
    assert rig.tally.returned == 7
