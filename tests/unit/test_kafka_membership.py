"""A member of a group and its lanes while the group gives and takes: over a scripted client, in real threads."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from headrace_connectors.kafka.client import Offset
from headrace_connectors.kafka.note import Note
from support.fake_kafka import FakeKafka, Member, part, until


@pytest.fixture
def fake() -> FakeKafka:
    return FakeKafka(2)


async def test_it_reads_from_the_committed_offset_and_commits_what_is_handled(fake) -> None:
    """Mutations: a position that is the last offset, not the next; a name that stays when the member leaves."""
    fake.put(30)
    fake.offsets[part()] = Offset(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: len(member.offsets) == 20)
    assert member.offsets == list(range(10, 30))
    assert fake.offsets[part()].next == 30
    assert Note.of(fake.offsets[part()].metadata).owner == ""


async def test_a_revoke_waits_for_the_handler_and_its_commit(fake) -> None:
    """Mutations: a group that is told to go on before the lane is closed; what was polled and not begun is handled."""
    fake.put(30)
    fake.assign(0)
    begun, goes_on = Event(), Event()

    def slow(*_: object) -> None:
        begun.set()
        goes_on.wait(10)

    async with Member(fake, slow) as member:
        await until(begun.is_set)
        done = fake.revoke(0)
        await asyncio.sleep(0.3)
        assert not done.is_set()
        goes_on.set()
        await until(done.is_set)
        assert member.handled == [list(range(10))]
        assert fake.offsets[part()].next == 10
        assert Note.of(fake.offsets[part()].metadata).owner == ""


async def test_a_revoke_while_its_name_is_being_written_takes_the_name_out_and_opens_no_lane(fake) -> None:
    """Mutations: a lane that is opened all the same; a name that stays, by which the next owner counts a crash."""
    fake.put(10)
    async with Member(fake) as member:
        with fake.holding("commit"):
            fake.assign(0)
            await until(lambda: fake.calls["commit"] == 1)
            done = fake.revoke(0)
            await until(lambda: member.told.of("partition.taken_away"))
            assert not done.is_set()
        await until(done.is_set)
        await asyncio.sleep(0.2)
        assert not member.told.of("partition.taken"), "a lane was made for what another may have"
        assert Note.of(fake.offsets[part()].metadata) == Note(owner="", epoch=1)
        assert fake.told[-2:] == ["commit answered", "revoked done"]
        fake.assign(0)
        await until(lambda: member.offsets == list(range(10)))
    assert not any(line["crashes"] for line in member.told.of("partition.taken"))


async def test_a_revoke_while_it_asks_where_to_begin_writes_nothing(fake) -> None:
    """Mutation: a name that is written for a partition that was let go."""
    async with Member(fake) as member:
        with fake.holding("committed"):
            fake.assign(0)
            await until(lambda: fake.calls["committed"] == 1)
            fake.revoke(0)
            await until(lambda: member.told.of("partition.taken_away"))
        await asyncio.sleep(0.3)
    assert fake.calls["commit"] == 0


async def test_the_member_joins_again_only_when_a_commit_of_what_it_lost_is_answered(fake) -> None:
    """Sent under the next generation, it would overwrite what another has committed since.

    Mutation: `done` that does not wait behind the commits.
    """
    fake.put(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: member.told.of("partition.taken"))
        with fake.holding("commit"):
            before = fake.calls["commit"]
            await until(lambda: fake.calls["commit"] > before)  # of what was handled
            done = fake.lose(0)
            await until(lambda: member.told.of("partition.taken_away"))
            await asyncio.sleep(0.3)
            assert not done.is_set()
        await until(done.is_set)
    assert fake.told[-2:] == ["commit answered", "lost done"]


async def test_a_lost_lane_settles_nothing_and_begins_anew_from_the_committed_offset(fake) -> None:
    """Mutations: a commit after the loss; records of the old assignment that are handed over under the new one."""
    fake.put(50)
    fake.assign(0)
    goes_on = Event()

    def slow(offsets: list[int], _: object) -> None:
        if offsets[0] == 10:
            goes_on.wait(10)

    async with Member(fake, slow) as member:
        await until(lambda: len(member.handled) == 2 and fake.offsets[part()].next == 10)
        done = fake.lose(0)
        await until(done.is_set)
        goes_on.set()
        fake.offsets[part()] = Offset(30, fake.offsets[part()].metadata)  # another owner was there meanwhile
        fake.assign(0)
        await until(lambda: fake.offsets[part()].next == 50)
    assert member.offsets == [*range(20), *range(30, 50)]
    assert [line["epoch"] for line in member.told.of("partition.taken")] == [1, 2]


async def test_a_partition_is_left_alone_while_a_call_of_an_earlier_assignment_still_runs(fake) -> None:
    """A plain handler's thread cannot be stopped. The other partitions go on, and it is said.

    Mutation: a partition that is taken at once: the same records are handled twice at a time.
    """
    fake.put(10)
    fake.assign(0, 1)
    goes_on, begun = Event(), Event()

    def stubborn(_: object, context: object) -> None:
        if context.headrace.lane == part().name and not goes_on.is_set():  # type: ignore[attr-defined]
            begun.set()
            goes_on.wait(10)

    async with Member(fake, stubborn) as member:
        await until(begun.is_set)
        fake.lose(0, 1)
        fake.assign(0, 1)
        await until(lambda: member.mapping.condition.state == "waiting")
        assert part().name in member.mapping.condition.reason
        fake.put(5, 1)
        await until(lambda: len(member.handled) == 2)
        await asyncio.sleep(1.2)
        assert member.lanes == [part(1).name]
        assert [len(call) for call in member.handled] == [10, 5]
        goes_on.set()
        await until(lambda: len(member.handled) == 3)
        await until(lambda: member.mapping.condition.state == "polling")
    assert member.handled[2] == list(range(10))


async def test_a_deadline_that_passes_ends_the_lanes_and_what_comes_after_is_taken_anew(fake) -> None:
    """The coordinator is silent. Mutations: a lane that ignores its deadline; a member that takes nothing again."""
    fake.put(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: fake.offsets.get(part(), Offset(0)).next == 10)
        fake.silence, fake.faults = 60.0, {"commit": TimeoutError("no answer"), "committed": TimeoutError("no answer")}
        await until(lambda: member.told.of("lane.lost"))
        fake.put(10)
        await until(lambda: member.mapping.condition.state == "unavailable")
        await asyncio.sleep(0.5)
        assert len(member.offsets) == 10
        fake.silence, fake.faults = 0.0, {}
        await until(lambda: len(member.offsets) == 20)
        await until(lambda: member.mapping.condition.state == "polling")
    assert member.offsets == list(range(20))


async def test_the_deadline_is_that_of_the_session_that_the_brokers_tell(fake) -> None:
    """The options say a second. Mutation: theirs, whatever the brokers say."""
    fake.session, fake.silence = 4.0, 2.0
    fake.put(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: len(member.offsets) == 10)
        fake.faults = {"commit": TimeoutError("no answer")}
        await asyncio.sleep(1.2)
        assert not member.told.of("lane.lost")
        fake.silence = 5.0
        await until(lambda: member.told.of("lane.lost"))
        fake.silence, fake.faults = 0.0, {}


async def test_a_session_that_the_brokers_do_not_tell_is_taken_as_the_options_say_and_that_is_said(fake) -> None:
    """Mutation: in silence."""
    fake.session = None
    async with Member(fake) as member:
        await until(lambda: member.told.of("group.session_unknown"))
    assert member.told.of("group.session_unknown")[0]["assumed"] == 1.0


async def test_a_coordinator_that_is_silent_from_the_start_is_said(fake) -> None:
    """A poll without an answer is no error. Mutation: `connecting`, for ever and without a reason."""
    fake.silence = 60.0
    async with Member(fake) as member:
        await until(lambda: member.mapping.condition.state == "unavailable")
        assert member.mapping.condition.reason
        fake.silence = 0.0
        await until(lambda: member.mapping.condition.state == "polling")


async def test_a_partition_waits_for_who_owns_partition_0_to_say_where_its_topic_begins(fake) -> None:
    """At LATEST. Mutations: a partition that begins at its own end, or at its beginning, before that."""
    fake.put(5, 0)
    fake.put(7, 1)
    fake.assign(1)
    async with Member(fake, starting_position="LATEST") as member:
        await until(lambda: member.mapping.condition.state == "waiting")
        fake.put(3, 1)
        assert not fake.offsets
        fake.offsets |= {part(0): Offset(5), part(1): Offset(7)}
        await until(lambda: len(member.offsets) == 3)
    assert member.offsets == [7, 8, 9]


async def test_latest_is_made_concrete_for_the_whole_topic_in_one_commit(fake) -> None:
    """By who owns partition 0, before a record is read. Mutations: its own partitions alone; one commit for each."""
    fake.put(5, 0)
    fake.put(7, 1)
    fake.assign(0)
    async with Member(fake, starting_position="LATEST") as member:
        await until(lambda: member.told.of("partition.taken"))
        fake.put(1, 0)
        await until(lambda: member.offsets == [5])
    assert fake.told[:3] == [f"committed {part(0).name} 5", f"committed {part(1).name} 7", "commit answered"]


async def test_a_rest_never_goes_back_behind_what_is_handled(fake) -> None:
    """What was delivered is handled before the thread that polls has told how far that was.

    Mutation: the position of the poll before, which is committed over that of what was handled since.
    """
    fake.put(10)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: fake.offsets.get(part(), Offset(0)).next == 10)
        with fake.holding("position"):
            fake.put(10)
            await until(lambda: fake.offsets[part()].next == 20)
            await asyncio.sleep(0.5)  # several looks and commits
            assert fake.offsets[part()].next == 20
    assert member.offsets == list(range(20))
    commits = [int(line.split()[2]) for line in fake.told if line.startswith("committed")]
    assert commits == sorted(commits)


async def test_a_lane_that_was_careful_long_enough_goes_on_as_usual(fake) -> None:
    """Rule 13: two owners were lost at offset 0. Mutation: a lane that is let go, and not opened anew."""
    fake.offsets[part()] = Offset(0, Note(owner="dead", epoch=4, crashes=1).text())
    fake.put(5)
    fake.assign(0)
    async with Member(fake, capacity=5) as member:
        await until(lambda: len(member.offsets) == 5)
        assert [len(call) for call in member.handled] == [1] * 5
        await until(lambda: len(member.told.of("partition.taken")) == 2)
        fake.put(10)
        await until(lambda: len(member.offsets) == 15)
    assert [line["crashes"] for line in member.told.of("partition.taken")] == [2, 0]
    assert max(len(call) for call in member.handled) > 1


async def test_what_retention_took_is_said_and_waited_for_or_skipped_and_counted(fake) -> None:
    """Mutations: a lane that asks again and again; a gap that is skipped unasked, or not counted."""
    fake.put(10)
    fake.logs[part()] = fake.logs[part()][6:]
    fake.offsets[part()] = Offset(2)
    fake.assign(0)
    async with Member(fake) as member:
        await until(lambda: member.mapping.condition.state == "trimmed")
        assert "offset 2" in member.mapping.condition.reason
        await asyncio.sleep(0.5)
        assert fake.calls["out of range"] == 1, "its partition was not paused"
        assert member.offsets == []
    fake.assign(0)
    async with Member(fake, options={"on_trimmed": "skip"}) as member:
        await until(lambda: len(member.offsets) == 4)
        assert member.mapping.tallies[part().name].lost_to_retention == 1
    assert member.offsets == [6, 7, 8, 9]
