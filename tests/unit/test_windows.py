"""Tumbling windows: which, when, and what goes on from one batch to the next."""

from __future__ import annotations

import asyncio
import json

import pytest

from headrace.batcher import Batcher, BatchPolicy
from headrace.policy import EXHAUSTED, FailurePolicy
from headrace.testing import MemoryLog, tended, virtual
from headrace.testing.clock import EPOCH
from headrace.verdict import Kind
from headrace.windows import LIMIT, QUIET, Progress, Tumbling, Window, is_over, recall, share, window_of
from support.engine import Destination, error, ids, record
from support.fleet import Fleet
from support.windows import PLACE, Summing, answered, rig_of

# which


@pytest.mark.parametrize(
    ("at", "seconds", "start", "end"),
    [(1607497440.0, 120, 1607497440, 1607497560), (1607497559.999, 120, 1607497440, 1607497560), (59.5, 60, 0, 60)],
)
def test_windows_are_aligned_and_half_open(at, seconds, start, end):
    assert window_of(at, seconds) == Window(start, end)


def test_an_event_shows_a_window_as_lambda_does():
    """The sample of AWS's guide."""
    assert window_of(1607497441, 120).block == {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"}


@pytest.mark.parametrize(
    ("current", "shares"),
    [
        (None, [(0, "a"), (60, "bcd"), (180, "e")]),
        (Window(0, 60), [(0, "a"), (60, "bcd"), (180, "e")]),
        (Window(60, 120), [(60, "abcd"), (180, "e")]),
    ],
)
def test_a_late_record_joins_the_window_that_is_open(current, shares):
    """Mutations: every record to its own window; one at a window's end still in it."""
    some = [record(name, at=at) for name, at in [("a", 59.9), ("b", 60), ("c", 10), ("d", 119), ("e", 180)]]
    assert [(window.start, "".join(ids(part))) for window, part in share(some, current, 60)] == shares


@pytest.mark.parametrize(
    ("now", "quiet", "at_tip", "over"),
    [(60, QUIET, True, True), (59.9, QUIET, True, False), (60, 119.9, True, False), (9999, 9999, False, False)],
)
def test_an_idle_window_closes_when_it_has_ended_and_nothing_came_for_two_minutes(now, quiet, at_tip, over):
    assert is_over(Window(0, 60), now=now, quiet=quiet, at_tip=at_tip) is over


def test_a_memo_brings_window_and_state_back():
    """Numbers above 64 bits too. Mutation: orjson alone."""
    state = {"n": 2**70, "é": [1.5, None]}
    progress = Progress(Window(60, 120), json.dumps(state).encode())
    found = recall(progress.memo)
    assert found is not None
    assert (found.window, json.loads(found.state)) == (Window(60, 120), state)
    assert recall(None) is None


@pytest.mark.parametrize("memo", [b'{"format":2}', b"[]", b"\xff", b"{}"])
def test_a_memo_of_another_version_is_refused(memo):
    with pytest.raises(ValueError, match="another version"):
        Tumbling(60, lambda: PLACE, memo)


# answers


@pytest.mark.parametrize("value", [None, {}, "", [], {"state": None}, {"state": 7}, {"State": {}}, 3])
def test_an_answer_without_state_fails_its_batch(value):
    """Lambda-semantics 4.3, step 2: before a null answer is success."""
    assert answered(value, ["a"]).verdict.kind is Kind.BAD_ANSWER


def test_an_answer_may_name_failures_beside_its_state():
    assert answered({"state": {}}, ["a"]).verdict.kind is Kind.SUCCESS
    partial = answered({"state": {}, "batchItemFailures": [{"itemIdentifier": "a"}]}, ["a", "b"])
    assert (partial.verdict.kind, partial.verdict.failed) == (Kind.PARTIAL, {"a"})


# batches


def test_records_of_one_position_stay_together_where_a_batch_holds_them():
    """Mutation: a batch cut at its size: a position is committed only after both batches."""
    batcher = Batcher(BatchPolicy(size=4, whole=True))
    batcher.add([record(name, token=token) for name, token in zip("abcdefghij", "1122234444", strict=True)], 0.0)
    taken = []
    while batcher:
        taken.append("".join(ids(batcher.take())))
    assert taken == ["ab", "cdef", "ghij"]
    batcher.add([record(name, token="1") for name in "abcdef"], 0.0)
    assert ids(batcher.take()) == list("abcd"), "more than a batch are torn"
    assert ids(batcher.take()) == list("ef")


def put(log, *groups):
    """Records by the second of their arrival."""
    for at, names in groups:
        log.put(names)
        for index in range(len(log.entries) - len(names), len(log.entries)):
            name, key, position, _ = log.entries[index]
            log.entries[index] = (name, key, position, float(at))


def base_of(log):
    return log.entries[0][3]


def base():
    """A window's start, in the hour before virtual time begins."""
    return int(EPOCH // 3600) * 3600


@virtual
async def test_state_goes_from_batch_to_batch_and_the_end_of_a_window_is_an_invocation():
    """Mutations: batches that mix windows; no final invocation at the end of the shard; records in it."""
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "abc"), (t + 60, "d"))
    log.seal()
    rig = rig_of(log, summing, batch=BatchPolicy(size=2))
    async with rig.running():
        await asyncio.sleep(5)
    assert rig.handler.batches == ["a,b", "c", "", "d", ""]
    assert [list(keys) for keys in summing.keys[:1]] == [
        ["window", "state", "shardId", "eventSourceARN", "isFinalInvokeForWindow", "isWindowTerminatedEarly"]
    ]
    assert [keys["isFinalInvokeForWindow"] for keys in summing.keys] == [False, False, True, False, True]
    assert [seen for _, seen in summing.finals] == [["a", "b", "c"], ["d"]]
    assert (log.memo, log.finished) == (None, True)


@virtual
async def test_the_state_of_a_window_is_committed_with_its_position():
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "abc"))
    rig = rig_of(log, summing, batch=BatchPolicy(size=2))
    async with rig.running():
        await asyncio.sleep(5)
    found = recall(log.memo)
    assert found is not None
    assert (found.window.start, json.loads(found.state)) == (t, {"seen": ["a", "b", "c"]})
    assert log.position == "00000002"
    put(log, (t + 1, "d"))
    log.seal()
    async with rig_of(log, summing, batch=BatchPolicy(size=2)).running():
        await asyncio.sleep(5)
    assert [seen for _, seen in summing.finals] == [["a", "b", "c", "d"]]


@virtual
async def test_a_shard_that_ended_is_not_done_before_its_last_window_is():
    """Mutation: END written while the final invocation fails: its state is lost."""
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "a"))
    log.seal()

    async def fate(names, said):
        return said if names else error()

    rig = rig_of(log, summing, fate, failure=FailurePolicy(retries=0, backoff=1, ceiling=8))
    async with rig.running():
        await asyncio.sleep(100)
    assert (log.finished, len(summing.finals) > 10) == (False, True), "tried again, whatever retries are allowed"
    assert log.memo is not None
    summing.finals.clear()
    async with rig_of(log, summing).running():
        await asyncio.sleep(5)
    assert ([seen for _, seen in summing.finals], log.finished) == ([["a"]], True)


@virtual
async def test_a_final_invocation_that_fails_holds_the_next_window():
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "a"), (t + 60, "b"))
    fails = 3

    async def fate(names, said):
        nonlocal fails
        fails -= not names
        return said if names or fails < 0 else {}

    rig = rig_of(log, summing, fate, failure=FailurePolicy(backoff=10))
    async with rig.running():
        await asyncio.sleep(5)
        assert rig.handler.batches == ["a", ""]
        await asyncio.sleep(100)
    assert rig.handler.batches == ["a", "", "", "", "", "b"]


@virtual
async def test_an_idle_shard_closes_its_window_two_minutes_after_its_last_record():
    log, summing = MemoryLog(page=100), Summing()
    rig = rig_of(log, summing)
    async with rig.running():
        log.put("a")
        await asyncio.sleep(115)
        assert summing.finals == []
        await asyncio.sleep(70)
        assert [seen for _, seen in summing.finals] == [["a"]]
        assert log.memo is None


@virtual
async def test_what_comes_while_an_idle_window_is_handed_over_is_not_lost():
    """Mutation: the window taken off its list after its invocation, with the late record in it."""
    log, summing = MemoryLog(page=100), Summing()

    async def fate(names, said):
        if not names and len(log.entries) == 1:
            put(log, (base_of(log), "b"))
            await asyncio.sleep(1)
        return said

    rig = rig_of(log, summing, fate)
    async with rig.running():
        log.put("a")
        await asyncio.sleep(400)
    assert [seen for _, seen in summing.finals] == [["a"], ["b"]]
    assert rig.tally.succeeded == 2


@virtual
async def test_a_shard_that_is_behind_does_not_close_its_window_by_the_clock():
    """Mutation: idle because nothing was handed over: a stalled server would end the window in its middle."""
    log, summing, t = MemoryLog(page=1), Summing(), base()
    put(log, (t, "a"), (t, "b"))
    rig = rig_of(log, summing, capacity=1)
    hold = asyncio.Event()
    read = rig.lane._reader.read

    async def slow(limit):
        if rig.handler.calls:
            await hold.wait()
        return await read(limit)

    rig.lane._reader.read = slow
    async with rig.running():
        await asyncio.sleep(3600)
        assert summing.finals == []
        hold.set()
        await asyncio.sleep(200)
        assert [seen for _, seen in summing.finals] == [["a", "b"]]


@virtual
async def test_a_state_above_a_mebibyte_ends_the_window_early_and_a_fresh_one_goes_on():
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "abc"))
    log.seal()

    async def fate(names, said):
        if names == ["a"]:
            said["state"]["fat"] = "x" * LIMIT
        return said

    rig = rig_of(log, summing, fate)
    async with rig.running():
        await asyncio.sleep(5)
    assert rig.handler.batches == ["a", "", "b", "c", ""]
    assert summing.early == [["a"]]
    assert [seen for _, seen in summing.finals] == [["b", "c"]], "once for a window"
    assert len({keys["window"]["start"] for keys in summing.keys}) == 1


@virtual
async def test_partial_progress_keeps_the_state_that_came_with_it_and_no_progress_drops_it():
    """AWS does not say. Mutation: the state of a failed attempt taken."""
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "abc"))
    log.seal()
    calls = 0

    async def fate(names, said):
        nonlocal calls
        calls += 1
        if calls == 1:
            return {"state": {"seen": ["a"]}, "batchItemFailures": [{"itemIdentifier": "b"}]}
        if calls == 2:
            return {"state": {"seen": ["wrong"]}, "batchItemFailures": [{"itemIdentifier": "b"}]}
        return said

    rig = rig_of(log, summing, fate, batch=BatchPolicy(size=3), failure=FailurePolicy(backoff=1))
    async with rig.running():
        await asyncio.sleep(30)
    assert rig.handler.batches == ["a,b,c", "b,c", "b,c", ""]
    assert [seen for _, seen in summing.finals] == [["a", "b", "c"]]


@virtual
async def test_what_is_given_up_leaves_the_state_as_it_is():
    log, summing, t = MemoryLog(page=100), Summing(), base()
    put(log, (t, "abc"))
    log.seal()
    destination = Destination()

    async def fate(names, said):
        return error() if names == ["b"] else said

    rig = rig_of(log, summing, fate, failure=FailurePolicy(retries=0), discard=destination)
    async with rig.running():
        await asyncio.sleep(5)
    assert [(ids(gone.records), gone.reason) for gone in destination.confirmed] == [(["b"], EXHAUSTED)]
    assert [seen for _, seen in summing.finals] == [["a", "c"]]


@virtual
async def test_nothing_is_committed_between_records_that_share_a_position():
    """Mutation: the position before it with the newer state: its first record is in the state twice after a crash."""
    log = MemoryLog(page=100)
    log.put("a")
    log.put("bc", shared=True)
    async with tended(log.lane(commit_interval=0.1)) as lane:
        some = await lane.fetch(10)
        await lane.ack(some[:1], b"a")
        await asyncio.sleep(1)
        assert (log.position, log.memo) == ("00000000", b"a")
        await lane.ack(some[1:2], b"ab")
        await asyncio.sleep(1)
        assert (log.position, log.memo) == ("00000000", b"a")
        await lane.ack(some[2:], b"abc")
        await asyncio.sleep(1)
        assert (log.position, log.memo) == ("00000001", b"abc")
        await lane.ack([], None)
        await asyncio.sleep(1)
        assert (log.position, log.memo) == ("00000001", None)


@virtual
async def test_a_batch_that_begins_below_a_shared_position_and_ends_within_commits_neither():
    log = MemoryLog(page=100)
    log.put("a")
    log.put("bc", shared=True)
    async with tended(log.lane(commit_interval=0.1)) as lane:
        some = await lane.fetch(10)
        await lane.ack(some[:2], b"ab")
        await asyncio.sleep(1)
        assert (log.position, log.memo) == (None, None)
        await lane.ack(some[2:])
        await asyncio.sleep(1)
        assert (log.position, log.memo) == ("00000001", b"ab")


# in a fleet


@virtual
async def test_in_a_fleet_a_window_outlives_its_worker_and_ends_with_its_shard() -> None:
    """Mutation: a memo that the lease brings and nobody reads; windows without the shard's name."""
    fleet = Fleet(1)
    finals = []

    async def behave(worker, names, event):
        if event["isFinalInvokeForWindow"]:
            finals.append((event["shardId"], event["eventSourceARN"], event["state"]["sum"]))
        return {"state": {"sum": event["state"].get("sum", 0) + len(names)}}

    fleet.stream.put([f"r{number}" for number in range(12)])
    one = fleet.worker("a", tell=behave, tumbling_window_in_seconds=900).start()
    await fleet.until(lambda: len(fleet.done) == 12)
    await asyncio.sleep(2)
    await one.kill()
    two = fleet.worker("b", tell=behave, tumbling_window_in_seconds=900).start()
    fleet.stream.put(["last"])
    fleet.stream.split("shard-000")
    await fleet.until(lambda: finals)
    await two.stop()
    assert finals == [("shard-000", "arn:memory", 13)]
