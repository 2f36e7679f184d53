"""What became of records whose destination is away outlives the process: only the sending is repeated."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from headrace.batcher import BatchPolicy
from headrace.destination import CONFIRMED, SUCCESS
from headrace.failure import name_of
from headrace.keeper import KEPT_FOR
from headrace.ledger import Mark
from headrace.model import Answer, Failure, Order
from headrace.outcometext import read, write
from headrace.outgoing import Outcome, Outgoing
from headrace.policy import EXHAUSTED, EXPIRED, FailurePolicy
from headrace.resuming import parted
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, virtual
from headrace.verdict import SUCCESS as WELL
from headrace.verdict import Kind, Verdict
from support.engine import AWAY, TOO_LARGE, Destination, Moody, Rig, error, ids, partial, records
from support.keepers import Process, Store, killed
from support.keyed import Shop
from support.windows import Summing, rig_of

WHOLE = BatchPolicy(size=10)
VISIBLE = 30.0


def filled(names: str, **more) -> MemoryLog:
    log = MemoryLog(page=100)
    log.put(names, **more)
    return log


def queued(names: str, keys=None, **more) -> MemoryQueue:
    queue = MemoryQueue(visibility=VISIBLE, **more)
    queue.send(names, keys)
    return queue


async def answering(*_) -> Outcome:
    return Outcome(Answer(request_id="first", duration=2.5, value={"n": 2**70}), WELL)


async def failing(*_) -> Outcome:
    return error()


def lane_of(source):
    return source.lane() if isinstance(source, MemoryLog) else MemoryQueueLane(source)


async def carried(source, store, *, behave=None, ends="stop", to=None, seconds=2.0, **more) -> Rig:
    """One process, from its start to its end; *to* is its destination of either kind."""
    process = Process(store, more.pop("version", "v1"))
    to = to or Moody(AWAY)
    more = {"batch": WHOLE, "announce": to, "discard": to, "concurrency": 1, **more}
    rig = Rig(lane_of(source), behave, keeping=process.keeping, **more)
    rig.said = process.lines
    async with process.keeper.open():
        if ends == "kill":
            await killed(rig, seconds)
        else:
            async with rig.running():
                await asyncio.sleep(seconds)
        rig.work.keeping.close()
    return rig


@pytest.mark.parametrize("ends", ["stop", "kill"])
@pytest.mark.parametrize("source", [queued, filled])
@virtual
async def test_what_succeeded_is_told_by_the_next_process_and_not_run_again(source, ends):
    """In the same words. Mutations, tried: nothing is kept; what is kept is not asked for; a new time, request id or
    version; the count of the second delivery."""
    store, there = Store(), source("ab")
    first = await carried(there, store, behave=answering, ends=ends)
    assert first.handler.batches == ["a,b"]
    (text,) = store.texts
    to = Destination()
    second = await carried(there, store, to=to, seconds=VISIBLE + 60, version="v2")
    assert second.handler.batches == []
    (gone,) = to.confirmed
    assert (ids(gone.records), gone.reason, gone.attempts, gone.request_id) == (["a", "b"], SUCCESS, 1, "first")
    assert (gone.outcome.answer.value, gone.outcome.answer.duration) == ({"n": 2**70}, 2.5)
    assert gone.version == "v1"
    assert gone.at == json.loads(text)["at"]
    assert {one.attempt for one in gone.records} == {1 if source is queued else 0}
    assert (second.tally.succeeded, second.tally.announced, second.tally.invoked) == (2, 2, 0)
    assert store.texts == [], "what is settled is kept no longer"
    for rig in (first, second) if ends == "stop" else (second,):
        assert (rig.work.keeping._names, rig.work.keeping._untold) == ({}, {})


@pytest.mark.parametrize("ends", ["stop", "kill"])
@pytest.mark.parametrize("source", [queued, filled])
@virtual
async def test_what_was_given_up_is_told_by_the_next_process_and_not_run_again(source, ends):
    """Mutation, tried: only what succeeded is kept."""
    store, there, policy = Store(), source("ab"), FailurePolicy(retries=0)
    first = await carried(there, store, behave=failing, ends=ends, failure=policy)
    assert first.handler.batches == ["a,b"]
    to = Destination()
    second = await carried(there, store, to=to, seconds=VISIBLE + 60, failure=policy)
    assert second.handler.batches == []
    (gone,) = to.confirmed
    assert (ids(gone.records), gone.reason, gone.attempts, gone.request_id) == (["a", "b"], EXHAUSTED, 1, "r")
    assert gone.outcome == error()
    assert second.tally.delivered == 2
    assert store.texts == []


@virtual
async def test_a_message_has_the_same_name_as_before():
    """So a destination can tell a repeat. Mutation, tried: numbers of the new lane."""
    store, log = Store(), filled("xab")
    to = Moody(CONFIRMED)
    tried: list[str] = []

    async def sent(gone):
        tried.append(name_of(gone, apart=False))
        return await to(gone)

    to.says = {"a": AWAY, "b": AWAY}
    rig = await carried(log, store, to=sent, batch=BatchPolicy(size=1))
    assert rig.handler.batches == ["x", "a"]
    to.says = {}
    await carried(log, store, to=sent, batch=BatchPolicy(size=1))
    about_a = [name for name in tried if name.startswith("a-")]
    assert len(about_a) > 2
    assert len(set(about_a)) == 1


@virtual
async def test_a_mapping_whose_destination_is_well_asks_no_store():
    """But once for each lane of a log. Mutations, tried: kept before it is sent; asked for at the first delivery."""
    for source, verbs in ((queued("abc"), []), (filled("abc"), ["kept"])):
        store = Store()
        rig = await carried(source, store, to=Destination())
        assert rig.tally.announced == 3
        assert store.verbs == verbs


@virtual
async def test_it_is_kept_once_however_often_the_sending_fails_and_again_each_day():
    """So that it does not end while it is held. Mutations, tried: at every try; never again."""
    store, queue, to = Store(), MemoryQueue(visibility=14400), Moody(AWAY)
    queue.send("a")
    to.delay = 3600.0
    await carried(queue, store, to=to, seconds=2.5 * 86400)
    assert len(to.asked) > 50
    assert store.verbs.count("keep") == 3
    await asyncio.sleep(KEPT_FOR - 86400)
    second = await carried(queue, store, to=Destination())
    assert second.handler.batches == []


@virtual
async def test_what_is_kept_has_an_end():
    store, log = Store(), filled("a")
    await carried(log, store)
    await asyncio.sleep(KEPT_FOR)
    second = await carried(log, store, to=Destination())
    assert second.handler.batches == ["a"]


@pytest.mark.parametrize("source", [queued, filled])
@virtual
async def test_while_the_store_is_away_a_mapping_goes_on_as_without_one(source):
    """It is told once. Mutations, tried: it waits for the store; a line for each record; it ends with an error."""
    store, there = Store(), source("abc")
    store.away = True
    first = await carried(there, store, batch=BatchPolicy(size=1), concurrency=3)
    assert len(first.said.of("outcomes.not_kept")) == 1
    to = Destination()
    second = await carried(there, store, to=to, batch=BatchPolicy(size=1), seconds=VISIBLE + 60)
    assert second.handler.batches == ["a", "b", "c"]
    assert sum(len(gone.records) for gone in to.confirmed) == 3


@virtual
async def test_a_store_that_stays_away_is_asked_less_and_less():
    """Each question may hold a batch up for seconds. Mutation, tried: asked with each batch."""
    store, log = Store(), filled([f"n{number}" for number in range(200)])
    store.away = True

    async def slow(*_):
        await asyncio.sleep(10)

    rig = await carried(log, store, behave=slow, to=Destination(), batch=BatchPolicy(size=1), seconds=2000)
    assert len(rig.handler.batches) > 190
    assert 5 < store.verbs.count("kept") < 15


@virtual
async def test_a_store_that_comes_back_is_told_what_was_not_kept():
    """Mutation, tried: only the first failure is kept."""
    store, log = Store(), filled("a")
    store.away = True
    asyncio.get_running_loop().call_later(60, setattr, store, "away", False)
    await carried(log, store, seconds=300)
    assert len(store.texts) == 1
    assert (await carried(log, store, to=Destination())).handler.batches == []


@virtual
async def test_a_log_is_asked_for_again_where_its_store_was_away_at_first():
    store, log = Store(), filled("a")
    await carried(log, store)
    store.away = True
    log.entries.insert(0, ("z", None, "-", log.clock.wall()))
    asyncio.get_running_loop().call_later(5, setattr, store, "away", False)
    to = Destination(delay=20)
    second = await carried(log, store, to=to, seconds=100, batch=BatchPolicy(size=1))
    assert second.handler.batches == ["z"]


@virtual
async def test_in_a_sequence_nothing_overtakes_and_what_follows_is_run():
    """Mutation, tried: what was kept goes first or last."""
    store, log = Store(), filled("ab")
    await carried(log, store)
    log.put("cd")
    log.entries.insert(0, ("z", None, "-", log.clock.wall()))
    to = Destination()
    second = await carried(log, store, to=to)
    assert second.handler.batches == ["z", "c,d"]
    assert [ids(gone.records) for gone in to.confirmed] == [["z"], ["a", "b"], ["c", "d"]]


@virtual
async def test_a_stop_tells_nothing_that_stands_behind_what_it_gives_back():
    """It comes again with it. Mutation, tried: told and settled above a gap."""
    store, log = Store(), filled("a")
    await carried(log, store)
    log.entries.insert(0, ("z", None, "-", log.clock.wall()))
    to = Destination()
    second = await carried(log, store, behave=failing, to=to, failure=FailurePolicy(backoff=1.0))
    assert (second.handler.batches[0], to.confirmed) == ("z", [])
    third = await carried(log, store, to=to)
    assert third.handler.batches == ["z"]
    assert [ids(gone.records) for gone in to.confirmed] == [["z"], ["a"]]


@virtual
async def test_what_is_settled_above_a_gap_is_kept_until_the_position_has_passed_it():
    """A kill brings it again. Mutation, tried: dropped when it is settled."""
    store, log = Store(), filled(["a", "b"], keys=["x", "v"])

    async def stuck(names, _):
        if "a" in names:
            await asyncio.sleep(1000)

    to = Moody(AWAY)
    asyncio.get_running_loop().call_later(20, setattr, to, "mood", CONFIRMED)
    first = await carried(log, store, behave=stuck, to=to, strands=2, seconds=200, ends="kill")
    assert sorted(first.handler.batches) == ["a", "b"]
    assert first.tally.succeeded == 1
    second = await carried(log, store, to=to, strands=2, seconds=60)
    assert second.handler.batches == ["a"]
    assert store.texts == []


@pytest.mark.parametrize(
    ("order", "runs"), [(Order.SEQUENCE, "a|BC|d|E|f"), (Order.KEY, "BC|E|adf"), (Order.NONE, "adf|BC|E")]
)
def test_runs_are_parted_by_the_order_of_their_lane(order, runs):
    """Mutation, tried: one order for all."""
    some = records("abcdef")
    groups = {id(one): "1" if one.id in "bc" else "2" for one in some if one.id in "bce"}
    found = parted(some, groups, order)
    shown = ["".join(ids(run.records)).upper() if run.group else "".join(ids(run.records)) for run in found]
    assert "|".join(shown) == runs


@virtual
async def test_parts_of_an_aggregate_share_an_id_and_are_told_apart():
    """Mutation, tried: a record by its id alone: the second part passes for the first, and is never run."""
    store, log = Store(), MemoryLog(page=100)
    log.put(["a", "a", "a"], shared=True)
    to = Moody(CONFIRMED)
    calls = []

    async def second_away(gone):
        calls.append(gone.records[0].number)
        return [AWAY if gone.records[0].number == 1 else CONFIRMED for _ in gone.records]

    first = await carried(log, store, to=second_away, batch=BatchPolicy(size=1))
    assert first.handler.batches == ["a", "a"]
    second = await carried(log, store, to=to, batch=BatchPolicy(size=1))
    assert second.handler.batches == ["a", "a"], "the first, which shares its position, and the third"
    assert to.asked == ["a", "a", "a"]


@virtual
async def test_another_record_of_the_same_id_is_run():
    """A topic that was deleted and made again. Mutation, tried: a record by its id alone."""
    store = Store()
    await carried(filled("a"), store)
    await asyncio.sleep(1)
    second = await carried(filled("a"), store, to=Destination())
    assert second.handler.batches == ["a"]


@virtual
async def test_what_was_sought_is_run_again_where_a_log_keeps_its_positions_itself():
    """Mutation, tried: what was kept before a seek is found after it."""
    store, log = Store(), filled("a")

    def lane_sought(sought: str):
        lane = log.lane()
        log.cursor.sought = sought
        return lane

    for sought, handled in (("", ["a"]), ("", []), ("9f", ["a"]), ("9f", [])):
        process = Process(store)
        rig = Rig(lane_sought(sought), announce=Moody(AWAY), keeping=process.keeping)
        async with rig.running():
            await asyncio.sleep(2)
        assert rig.handler.batches == handled


@virtual
async def test_who_has_confirmed_is_not_told_again_by_the_next_process():
    """Of several destinations. Mutation, tried: their confirmations are forgotten; those of later tries are."""
    store, log = Store(), filled("a")
    tries = []

    async def one_of_two(gone):
        tries.append(gone)
        gone.taken.add(("0.0 file", id(gone.records[0])))
        if len(tries) > 2:
            gone.taken.add(("0.1 sqs", id(gone.records[0])))
        return [AWAY]

    await carried(log, store, to=one_of_two, seconds=60)
    seen = []

    async def look(gone):
        seen.append({(label, number == id(gone.records[0])) for label, number in gone.taken})
        return [CONFIRMED]

    await carried(log, store, to=look)
    assert seen == [{("0.0 file", True), ("0.1 sqs", True)}]


@virtual
async def test_one_that_is_refused_in_the_end_goes_back_to_be_run_again():
    """As without a store. Mutation, tried: it is told again for ever, and never run."""
    store, queue, policy = Store(), queued("a"), FailurePolicy(retries=0, backoff=1.0)
    to = Moody(AWAY)
    await carried(queue, store, behave=failing, to=to, failure=policy)
    to.mood = TOO_LARGE
    second = await carried(queue, store, behave=failing, to=to, failure=policy, seconds=1.5)
    assert second.tally.refused >= 1
    assert store.texts == []
    third = await carried(queue, store, to=Destination(), failure=policy, seconds=60)
    assert third.handler.batches == ["a"]


@virtual
async def test_of_a_partial_answer_what_succeeded_is_told_and_the_rest_is_run():
    store, queue = Store(), queued("abc")

    async def behave(*_):
        return partial("b")

    await carried(queue, store, behave=behave)
    to = Destination()
    second = await carried(queue, store, to=to, seconds=60)
    assert second.handler.batches == ["b"]
    assert sorted("".join(ids(gone.records)) for gone in to.confirmed) == ["ac", "b"]


@virtual
async def test_a_stop_gives_back_what_it_has_not_told_yet_of_earlier_processes():
    """And the one after that tells it. Mutation, tried: kept no longer once it was found."""
    store, queue = Store(), queued("ab")
    for ends in ("kill", "stop", "kill"):
        rig = await carried(queue, store, ends=ends, seconds=VISIBLE + 5)
    assert rig.handler.batches == []
    to = Destination()
    last = await carried(queue, store, to=to, seconds=60)
    assert last.handler.batches == []
    assert [ids(gone.records) for gone in to.confirmed] == [["a", "b"]]
    assert {one.attempt for one in to.confirmed[0].records} == {1}


@virtual
async def test_a_key_is_begun_and_finished_as_if_its_record_had_been_run():
    """Mutation, tried: it is told of without a look at its key."""
    shop, store, queue = Shop(), Store(), queued("a")
    async with shop.shared.holds.kept():
        await carried(queue, store, once=shop.once)
    to = Destination()
    async with shop.shared.holds.kept():
        second = await carried(queue, store, to=to, once=shop.once, seconds=120)
    assert (second.handler.batches, len(to.confirmed)) == ([], 1)
    queue.send("a")
    third = await carried(queue, store, to=to, once=shop.once)
    assert (third.handler.batches, third.tally.deduplicated, len(to.confirmed)) == ([], 1, 1)


@virtual
async def test_a_record_that_was_run_does_not_pass_for_one_that_kills_its_process():
    """Rule 13 marks an attempt, and this had its end. Mutation, tried: the mark is looked at first."""
    store, log = Store(), filled("a")
    await carried(log, store, ends="kill")
    to = Destination()
    process = Process(store)
    lane = log.lane(crashes=2, mark=Mark(position="00000000", attempt=1))
    rig = Rig(lane, announce=to, discard=to, keeping=process.keeping, failure=FailurePolicy(retries=0))
    async with rig.running():
        await asyncio.sleep(5)
    assert rig.handler.batches == []
    assert [gone.reason for gone in to.confirmed] == [SUCCESS]


@virtual
async def test_a_window_goes_on_with_the_state_that_was_answered():
    """Mutation, tried: the records are settled without it."""
    store, log, summing = Store(), filled("ab"), Summing()
    for to in (Moody(AWAY), Destination()):
        process = Process(store)
        rig = rig_of(log, summing, announce=to, keeping=process.keeping, batch=WHOLE)
        async with rig.running():
            await asyncio.sleep(5)
    assert len(summing.keys) == 1
    log.put("c")
    rig = rig_of(log, summing, batch=WHOLE)
    async with rig.running():
        await asyncio.sleep(5)
    assert summing.keys[-1]["state"] != {}
    assert log.memo is not None
    assert b'["a","b","c"]' in log.memo.replace(b" ", b"")


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["queue", "fifo", "log"])
@virtual
async def test_whatever_ends_its_processes_a_record_is_run_once_and_told(kind, seed):
    """Each process has batches, places and strands of its own. The destination is away but for the last, or for some
    records. Mutations, tried: an outcome is gone with its first record; what is given back is dropped; two outcomes are
    told as one."""
    chance, store = random.Random(f"{kind} {seed}"), Store()
    names = [f"n{number}" for number in range(30)]
    keys = [chance.choice("xyz") for _ in names]
    there = filled(names, keys=keys) if kind == "log" else queued(names, keys, fifo=kind == "fifo")
    runs, told = Counter[str](), Counter[str]()

    async def behave(batch, _):
        runs.update(batch)
        return error() if any(int(name[1:]) % 5 == 0 for name in batch) else None

    class Counting(Moody):
        async def __call__(self, gone):
            replies = await super().__call__(gone)
            told.update(one.id for one, said in zip(gone.records, replies, strict=True) if said == CONFIRMED)
            return replies

    for last in (False, False, False, False, True):
        to = Counting(CONFIRMED if last else AWAY)
        if kind != "log":
            to.says = {name: CONFIRMED for name in names if chance.random() < 0.3}
        await carried(
            there,
            store,
            behave=behave,
            to=to,
            ends="stop" if last else chance.choice(["stop", "kill"]),
            seconds=2000 if last else chance.uniform(5, 100),
            batch=BatchPolicy(size=chance.choice([1, 2, 7])),
            concurrency=chance.choice([1, 3]),
            strands=chance.choice([1, 3]),
            failure=FailurePolicy(retries=0, backoff=1.0),
        )
    assert runs == dict.fromkeys(names, 1)
    assert set(told) == set(names)
    assert store.texts == []


FAILURE = Failure(type="E", message="no: é\udc80", stack=("one", "two"), payload={"errorType": "E", "n": 1.5})


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        Outcome(Answer(request_id="r", duration=1.0, value={"state": {"n": 2**70}}), Verdict(Kind.PARTIAL, {"b"})),
        Outcome(Answer(request_id="r", duration=0.0, failure=FAILURE), Verdict(Kind.ERROR, failure=FAILURE)),
    ],
)
def test_what_is_written_is_read_back(outcome):
    some = records("ab")
    some[1].attempt, some[1].number = 3, 7
    gone = Outgoing(
        lane="l", records=some, reason=EXPIRED, attempts=2, outcome=outcome, request_id="r", at=1.5, shift=10
    )
    gone.taken.update([("0.0 sqs", id(some[1])), (7, 7), ("0.0 sqs", 12345)])
    said = read(write(gone, ["A", "B"], version="v", clean=lambda _, value: value))
    assert said is not None
    assert (said.reason, said.attempts, said.outcome, said.request_id, said.at) == (EXPIRED, 2, outcome, "r", 1.5)
    assert said.version == "v"
    assert {name: tuple(note) for name, note in said.notes.items()} == {"A": (0, 10, []), "B": (3, 17, ["0.0 sqs"])}
    again = read(write(replace(gone, version="w"), ["A", "B"], version="v", clean=lambda _, value: value))
    assert again is not None
    assert again.version == "w"


@pytest.mark.parametrize("text", ['{"format": 2}', '{"format": 1}', "[]", "torn"])
def test_what_another_version_wrote_is_left_alone(text):
    assert read(text) is None
