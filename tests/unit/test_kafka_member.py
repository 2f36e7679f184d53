"""A member's threads, with a scripted client: what fails in the poll thread ends nothing, and leaves no gap."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headrace.clock import SYSTEM
from headrace.model import Record
from headrace_connectors.kafka.client import Fenced, Membership, Offset, TopicPartition, Unreadable
from headrace_connectors.kafka.member import GLANCE, PATIENCE, Member
from headrace_connectors.kafka.message import Message, PlainMessage
from headrace_connectors.kafka.partition import MOST_RECORDS, Partition

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


def message(part: TopicPartition, offset: int) -> PlainMessage:
    return PlainMessage(part.topic, part.partition, offset, 1000, 0, None, b"%d" % offset)


class Script:
    """A client that does in each poll what it is told next, in the poll thread."""

    def __init__(self, membership: Membership) -> None:
        self.membership = membership
        self.polls: list[Callable[[], Mapping[TopicPartition, Sequence[Message]]]] = []
        self.log: list[tuple[Any, ...]] = []
        self.commit_gate = threading.Event()
        self.commit_gate.set()
        self.seek_fails = 0
        self.woken, self.rests_for, self.resting = threading.Event(), 0.0, 0.0
        self.waits: list[float] = []

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[Message]]:
        if self.polls:
            self.waits.append(seconds)
            return self.polls.pop(0)()
        threading.Event().wait(0.005)
        return {}

    def rest(self, seconds: float) -> None:
        self.log.append(("rest",))
        self.resting = self.rests_for or seconds
        self.woken.wait(self.resting)
        self.woken.clear()
        self.resting = 0.0

    def wake(self) -> None:
        self.woken.set()

    def pause(self, part: TopicPartition) -> None:
        self.log.append(("pause", part.partition))

    def resume(self, part: TopicPartition) -> None:
        self.log.append(("resume", part.partition))

    def seek(self, part: TopicPartition, offset: int) -> None:
        if self.seek_fails:
            self.seek_fails -= 1
            raise OSError("not now")
        self.log.append(("seek", part.partition, offset))

    def position(self, part: TopicPartition) -> int | None:
        return None

    def commit(self, offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:
        self.commit_gate.wait()
        self.log.append(("commit", {part.partition: one.next for part, one in offsets.items()}))

    def close(self, seconds: float) -> None:
        self.log.append(("close",))

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not scripted")


class Told:
    """A group that notes what it is told."""

    def __init__(self) -> None:
        self.partitions: dict[TopicPartition, Partition] = {}
        self.log: list[tuple[Any, ...]] = []
        self.broken = False

    def records(self, messages: Sequence[Message]) -> Sequence[Record]:
        if self.broken:
            raise RuntimeError("a shape with a fault")
        return [Record(f"{one.offset}", one, 1.0, 10, None, str(one.offset)) for one in messages]

    def unreadable(self, fault: Unreadable) -> Record:
        return Record(f"{fault.offset}!", None, 1.0, 10, None, str(fault.offset))

    def assigned(self, partitions: Sequence[Partition]) -> None:
        self.partitions |= {one.part: one for one in partitions}
        self.log.append(("assigned", [one.part.partition for one in partitions]))

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.log.append(("revoked", [one.part.partition for one in partitions]))

    def lost(self, partitions: Sequence[Partition]) -> None:
        self.log.append(("lost", [one.part.partition for one in partitions]))

    def out_of_range(self, partition: Partition, offset: int) -> None:
        self.log.append(("out of range", partition.part.partition, offset))

    def polling(self, error: Exception | None) -> None:
        self.log.append(("polling", None if error is None else str(error)))


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Member, Script, Told]]:
    told, made = Told(), []

    def make(membership: Membership) -> Any:
        made.append(Script(membership))
        return made[0]

    member = Member("m", told, make, lambda part: Partition(part, clock=SYSTEM))
    await member.open()
    try:
        yield member, made[0], told
    finally:
        made[0].commit_gate.set()
        await member.close()


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.002)


def assign(script: Script, *parts: TopicPartition) -> Callable[[], Mapping[TopicPartition, Sequence[Message]]]:
    def poll() -> Mapping[TopicPartition, Sequence[Message]]:
        script.membership.assigned(parts)
        return {}

    return poll


async def begun(member: Member, script: Script, told: Told, *parts: TopicPartition) -> None:
    script.polls.append(assign(script, *parts))
    await until(lambda: len(told.partitions) == len(parts))
    for part in parts:
        member.move(told.partitions[part], 0)
    await until(lambda: sum(one[0] == "resume" for one in script.log) == len(parts))


async def test_what_cannot_be_made_records_of_leaves_no_gap() -> None:
    """Mutation: the poll thread dies of it, or goes on behind what it did not hand over."""
    async with running() as (member, script, told):
        await begun(member, script, told, ONE, TWO)
        told.broken = True
        script.polls.append(lambda: {ONE: [message(ONE, 0)]})
        one = told.partitions[ONE]
        await until(lambda: one.lost_because)
        assert "RuntimeError: a shape with a fault" in one.lost_because
        assert ("pause", 0) in script.log
        told.broken = False
        script.polls.append(lambda: {TWO: [message(TWO, 0)]})
        assert [record.token for record in await told.partitions[TWO].read(5)] == ["0"], "the others go on"
        member.renew(one)
        await until(lambda: told.partitions[ONE] is not one)


async def test_a_partition_that_cannot_be_moved_now_is_moved_later() -> None:
    """Mutation: an order that is forgotten with its first failure: the partition is never polled."""
    async with running() as (member, script, told):
        script.seek_fails = 2
        await begun(member, script, told, ONE)
        assert ("seek", 0, 0) in script.log
        await until(lambda: told.log[-1] == ("polling", None))
        assert ("polling", "not now") in told.log


async def test_a_poll_that_fails_is_told_once_and_made_again() -> None:
    """Mutation: a thread that ends with its first error."""

    def fail() -> Mapping[TopicPartition, Sequence[Message]]:
        raise OSError("no broker")

    async with running() as (member, script, told):
        await begun(member, script, told, ONE)
        script.polls += [fail, fail, lambda: {ONE: [message(ONE, 0)]}]
        assert len(await told.partitions[ONE].read(5)) == 1
        assert told.log.count(("polling", "no broker")) == 1


async def test_what_cannot_be_read_is_a_record_and_is_passed() -> None:
    """Mutation: it is skipped without a word."""

    def corrupt() -> Mapping[TopicPartition, Sequence[Message]]:
        raise Unreadable(ONE, 4, "its checksum is wrong")

    async with running() as (member, script, told):
        await begun(member, script, told, ONE)
        script.polls.append(corrupt)
        assert [record.id for record in await told.partitions[ONE].read(5)] == ["4!"]
        await until(lambda: ("seek", 0, 5) in script.log)


async def test_what_was_polled_is_handled_before_more_is() -> None:
    """It polls all the same now and then, as its membership wants it.

    Mutations: polls go on while every partition has enough; a rest without an end; one that a lane does not end.
    """
    half, more = MOST_RECORDS // 2, [message(TWO, n) for n in range(10)]
    async with running() as (member, script, told):
        await begun(member, script, told, ONE, TWO)
        script.polls.append(lambda: {part: [message(part, n) for n in range(half)] for part in (ONE, TWO)})
        await until(lambda: ("rest",) in script.log)
        script.polls.append(lambda: {ONE: more})
        await until(lambda: not script.polls)
        assert script.waits[-1] == GLANCE, "there is no room for more"
        await until(lambda: script.log[-1] == ("rest",))
        script.rests_for = 60.0
        await until(lambda: script.resting == script.rests_for)
        script.polls.append(lambda: {TWO: more})
        await asyncio.sleep(0.05)
        assert script.polls
        read = 0
        while read < half * 3 // 4 + 1:
            read += len(await told.partitions[TWO].read(1000))
        await until(lambda: not script.polls)
        assert script.waits[-1] == PATIENCE, "the other one has enough still"


async def test_an_order_and_the_end_do_not_wait_for_a_rest() -> None:
    """Mutation: one that is carried out when the rest is over."""
    async with running() as (member, script, told):
        await begun(member, script, told, ONE)
        script.rests_for = 60.0
        script.polls.append(lambda: {ONE: [message(ONE, n) for n in range(MOST_RECORDS)]})
        await until(lambda: script.resting == script.rests_for)
        member.move(told.partitions[ONE], 7)
        await until(lambda: ("seek", 0, 7) in script.log)
        await until(lambda: script.resting == script.rests_for)
        async with asyncio.timeout(20):
            await member.close()


async def test_the_group_waits_for_lanes_and_for_commits_that_are_on_their_way() -> None:
    """Mutation: done as soon as the lanes are gone, while a commit of theirs may still be sent under the next
    generation."""
    async with running() as (member, script, told):
        await begun(member, script, told, ONE)
        done = threading.Event()

        def lose() -> Mapping[TopicPartition, Sequence[Message]]:
            script.membership.lost([ONE], done.set)
            return {}

        script.commit_gate.clear()
        committing = asyncio.ensure_future(member.commit({ONE: Offset(1)}))
        await asyncio.sleep(0.05)
        script.polls.append(lose)
        await until(lambda: ("lost", [0]) in told.log)
        assert not done.wait(0.05), "its lane is there still"
        told.partitions[ONE].gone()
        await asyncio.sleep(0.05)
        assert not done.is_set(), "its commit is on its way still"
        script.commit_gate.set()
        await until(done.is_set)
        await committing


async def test_commits_of_several_partitions_go_in_one_request() -> None:
    """Mutation: a request for each; one that is lost among those that wait."""
    async with running() as (member, script, told):
        await begun(member, script, told, ONE, TWO)
        script.commit_gate.clear()
        first = asyncio.ensure_future(member.commit({ONE: Offset(1)}))
        await asyncio.sleep(0.05)
        others = [asyncio.ensure_future(member.commit({part: Offset(2)})) for part in (ONE, TWO)]
        await asyncio.sleep(0.05)
        script.commit_gate.set()
        await asyncio.gather(first, *others)
        assert [one[1] for one in script.log if one[0] == "commit"] == [{0: 1}, {0: 2, 1: 2}]


async def test_one_partition_that_cannot_be_committed_keeps_no_other_from_it() -> None:
    """Mutation: what one topic is denied is told of all."""
    async with running() as (member, script, told):
        await begun(member, script, told, ONE, TWO)
        script.commit_gate.clear()
        plain, refused = script.commit, []

        def commit(offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:
            script.commit_gate.wait()
            if TWO in offsets:
                refused.append(set(offsets))
                raise OSError("denied")
            plain(offsets, seconds)

        script.commit = commit  # type: ignore[method-assign]
        one, two = (asyncio.ensure_future(member.commit({part: Offset(2)})) for part in (ONE, TWO))
        await asyncio.sleep(0.05)
        script.commit_gate.set()
        results = await asyncio.gather(one, two, return_exceptions=True)
        assert results[0] is None
        assert str(results[1]) == "denied"


async def test_a_member_that_is_fenced_commits_nothing_by_trying_one_by_one() -> None:
    """Mutation: a commit of an old generation that is tried again."""
    async with running() as (member, script, told):
        await begun(member, script, told, ONE, TWO)
        tries: list[int] = []

        def commit(offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:
            tries.append(len(offsets))
            raise Fenced("the group went on")

        script.commit = commit  # type: ignore[method-assign]
        results = await asyncio.gather(member.commit({ONE: Offset(2), TWO: Offset(3)}), return_exceptions=True)
        assert isinstance(results[0], Fenced)
        assert tries == [2]
