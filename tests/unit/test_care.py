"""Rule 13: a record that kills its process is found, and only it pays."""

from __future__ import annotations

import asyncio

import pytest

from headrace.batcher import BatchPolicy
from headrace.care import needed
from headrace.failure import failure_record
from headrace.ledger import Mark
from headrace.model import LaneLost, Origin
from headrace.pipeline import End
from headrace.policy import EXHAUSTED, FailurePolicy
from headrace.testing import MemoryLog, tended, virtual
from support.engine import Destination, Rig, error, ok
from support.fleet import Fleet

MARK = Mark(position="00000000", attempt=1)
DONE = Mark(position="00000000", attempt=0)


@pytest.mark.parametrize(
    ("crashes", "mark", "careful"),
    [
        (0, None, False),
        (1, None, False),
        (2, None, True),
        (3, None, True),
        (1, MARK, True),
        (0, MARK, False),
        (1, DONE, False),
    ],
)
def test_care_is_needed_after_two_crashes_at_one_position_or_one_of_a_careful_owner(crashes, mark, careful):
    """Mutations: from 1 or 3 on; a mark alone, which a planned move leaves."""
    assert needed(crashes, mark) is careful


def filled(names, **more):
    log = MemoryLog(page=100)
    log.put(names, **more)
    return log


def suspected(log, behave=None, *, crashes=2, mark=None, retries=None, **settings):
    lane = log.lane(crashes=crashes, mark=mark, **settings)
    destination = Destination()
    policy = FailurePolicy(retries=retries, backoff=1.0)
    batch = BatchPolicy(size=10, window=5)
    return Rig(lane, behave, batch=batch, failure=policy, strands=3, discard=destination), destination


@virtual
async def test_a_careful_lane_tries_one_record_at_a_time_and_marks_each_attempt_before_it():
    """Mutations: strands or batches as usual; the mark after the attempt; no mark at all."""
    log = filled("abc")
    seen = []

    async def behave(batch, attempt):
        seen.append((batch, attempt, log.mark and (log.mark.position, log.mark.attempt)))
        return error() if (batch, attempt) == (["b"], 1) else ok()

    rig, _ = suspected(log, behave)
    async with rig.running():
        await asyncio.sleep(10)
    assert rig.handler.most == 1
    assert seen == [
        (["a"], 1, ("00000000", 1)),
        (["b"], 1, ("00000001", 1)),
        (["b"], 2, ("00000001", 2)),
        (["c"], 1, ("00000002", 1)),
    ]


@virtual
async def test_what_is_settled_is_committed_before_the_next_is_marked():
    """Mutation: a mark without a commit before it: the commit that comes later clears it."""
    log = filled("ab")
    async with tended(log.lane(crashes=2, commit_interval=1)) as lane:
        first, second = await lane.fetch(2)
        await lane.ack([first])
        await lane.care.mark(second, 1)
        assert log.position == first.token
        await asyncio.sleep(5)
        assert log.mark == Mark(position=second.token, attempt=1)


@virtual
async def test_nothing_is_dispatched_before_its_mark_is_durable():
    log = filled("a")
    log.refuse_commits = 3
    rig, _ = suspected(log)
    async with rig.running():
        await asyncio.sleep(0.05)
        assert rig.handler.calls == []
        await asyncio.sleep(30)
        assert rig.handler.batches == ["a"]


@virtual
async def test_a_lane_whose_mark_is_fenced_is_lost_and_dispatches_nothing():
    """Mutation: a mark that is tried again for ever, or taken for granted."""
    log = filled("a")
    rig, _ = suspected(log)
    log.kill()
    ending = await rig.pipeline.run()
    assert (ending.how, rig.handler.calls) == (End.LOST, [])


@pytest.mark.parametrize(("tried", "retries", "calls"), [(1, 0, []), (1, 1, [2]), (2, 1, []), (9, None, [10])])
@virtual
async def test_what_killed_its_owners_as_often_as_it_may_fail_is_given_up_untried(tried, retries, calls):
    """Mutations: an unlimited budget that ends; one attempt more or less; the count begun anew."""
    log = filled("ab")
    mark = Mark(position="00000000", attempt=tried)
    rig, destination = suspected(log, mark=mark, retries=retries)
    async with rig.running():
        await asyncio.sleep(5)
    assert [attempt for batch, attempt in rig.handler.calls if batch == "a"] == calls
    assert "b" in rig.handler.batches
    gone = [(one.records[0].id, one.reason, one.attempts) for one in destination.confirmed]
    assert gone == ([] if calls else [("a", EXHAUSTED, tried)])
    assert log.position == "00000001"


@virtual
async def test_the_failure_record_of_such_a_record_says_that_its_process_was_lost():
    log = filled("a")
    rig, destination = suspected(log, mark=MARK, retries=0)
    async with rig.running():
        await asyncio.sleep(5)
    (gone,) = destination.confirmed
    record = failure_record(gone, Origin(block="Info", info={}), function_arn="arn", full=True)
    assert record["requestContext"]["requestId"]
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorType"] == "Runtime.ExitError"


@pytest.mark.parametrize("position", ["00000001", "elsewhere", "00000000#1", "00000000 and more"])
@virtual
async def test_a_mark_of_another_record_than_the_first_is_ignored(position):
    """Mutation: a mark that is taken wherever its position comes up."""
    log = filled("ab")
    rig, destination = suspected(log, mark=Mark(position=position, attempt=9), retries=0)
    async with rig.running():
        await asyncio.sleep(5)
    assert rig.handler.calls == [("a", 1), ("b", 1)]
    assert destination.confirmed == []


@virtual
async def test_of_records_that_share_a_position_only_the_marked_one_pays():
    """Mutation: a mark by position alone: the first of the aggregate is given up for the third."""
    log = filled("abc", shared=True)
    mark = Mark(position="00000000#2", attempt=1)
    rig, destination = suspected(log, mark=mark, retries=0)
    async with rig.running():
        await asyncio.sleep(5)
    assert rig.handler.batches == ["a", "b"]
    assert [one.records[0].id for one in destination.confirmed] == ["c"]


@virtual
async def test_of_several_deadly_records_at_one_position_none_is_forgotten():
    """Mutation: the mark of the second wipes out what is known of the first, which then has all its attempts again."""
    log = filled("abc", shared=True)
    rig, destination = suspected(log, mark=Mark(position="00000000#1,0x1", attempt=1), retries=0)
    marks = []

    async def behave(*_):
        marks.append(log.mark)

    rig.handler.behave = behave
    async with rig.running():
        await asyncio.sleep(5)
    assert [one.records[0].id for one in destination.confirmed] == ["a", "b"]
    assert marks == [Mark(position="00000000#2,0x1,1x1", attempt=1)]


@virtual
async def test_a_careful_lane_asks_to_be_left_when_its_capacity_is_settled():
    """Mutation: careful for ever."""
    log = filled("abcdef")
    rig, _ = suspected(log, careful_for=3)
    ending = await rig.pipeline.run()
    assert (ending.how, ending.left) == (End.STOPPED, 0)
    assert rig.handler.batches in (["a", "b", "c"], ["a", "b", "c", "d"])  # the next may have begun
    assert (log.crashes, log.held) == (0, False)
    assert log.lane().care is None


@virtual
async def test_a_deadline_that_passes_while_the_mark_is_written_is_seen():
    """Mutation: the deadline looked at before the mark only."""
    log = filled("a")
    rig, _ = suspected(log)
    log.delay = 5
    log.cursor.deadline = asyncio.get_running_loop().time() + 2
    with pytest.raises(LaneLost):
        await rig.work.carry(await rig.hold(1))
    assert rig.handler.calls == []


@virtual
async def test_a_lane_that_is_let_go_leaves_no_mark_on_what_it_tried():
    """Mutation: a mark of an attempt that ended well, at a position that others share, and that has not moved."""
    log = filled("ab", shared=True)

    async def behave(batch, _):
        if batch == ["a"]:
            rig.pipeline.stop(10)

    rig, _ = suspected(log, behave)
    await rig.pipeline.run()
    assert (rig.handler.batches, log.position) == (["a"], None)
    assert log.mark == DONE


@virtual
async def test_a_careful_lane_does_not_stop_within_a_position():
    """Mutation: settled records counted where the position has not moved: then it is careful anew, for ever."""
    log = filled("abc", shared=True)
    rig, _ = suspected(log, careful_for=1)
    await rig.pipeline.run()
    assert (rig.handler.batches, log.position) == (["a", "b", "c"], "00000000")


@virtual
async def test_after_one_crash_what_is_settled_is_committed_at_once():
    """Mutation: commits at the interval: the position that the next owner finds lies far before the culprit."""
    log = filled("ab")

    async def behave(*_):
        await asyncio.sleep(1)

    lane = log.lane(crashes=1, commit_interval=1000)
    rig = Rig(lane, behave)
    async with rig.running():
        await asyncio.sleep(1.5)
        assert log.position == "00000000"


@virtual
async def test_in_a_fleet_one_deadly_record_of_a_large_batch_is_dropped_and_no_other() -> None:
    """Through the ledger. Mutations: crashes or mark of a lease not handed to its lane; a careful lane for ever."""
    fleet = Fleet(1)
    names = [f"r{number:03}" for number in range(120)]
    fleet.stream.put(names)
    died = asyncio.Event()
    sizes = []

    async def behave(batch, _):
        sizes.append(len(batch))
        if "r013" in batch:
            died.set()
            await asyncio.Event().wait()

    deaths = 0
    settings = {"maximum_retry_attempts": 1, "batch_size": 20, "capacity": 40}
    worker = fleet.worker("w0", behave=behave, **settings).start()
    while len(fleet.done) < len(names) - 1:
        died.clear()
        dying = asyncio.ensure_future(died.wait())
        finished = asyncio.ensure_future(fleet.until(lambda: len(set(fleet.names())) == len(names) - 1))
        await asyncio.wait({dying, finished}, return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        finished.cancel()
        if died.is_set():
            deaths += 1
            assert deaths < 10, "it is not found"
            await worker.kill()
            worker = fleet.worker(f"w{deaths}", behave=behave, **settings).start()
    await worker.stop()
    assert list(dict.fromkeys(fleet.names())) == [name for name in names if name != "r013"]
    assert deaths <= 3 + 2, "a few times in a batch, and alone as often as it may be tried"
    assert worker.mapping.tallies["shard-000"].dropped == 1
    assert sizes[-1] > 1, "it goes on as usual"
