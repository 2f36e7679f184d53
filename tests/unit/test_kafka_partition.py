"""One partition while it is ours, its cursor, and how long its group counts us in. On virtual time."""

from __future__ import annotations

import asyncio

import pytest

from headrace.ledger import Mark
from headrace.model import LaneLost, Record
from headrace.testing import FakeClock, virtual
from headrace_connectors.kafka.client import Fenced, Offset, TopicPartition
from headrace_connectors.kafka.contact import Contact
from headrace_connectors.kafka.cursor import OffsetCursor
from headrace_connectors.kafka.note import Note
from headrace_connectors.kafka.partition import MOST_RECORDS, Partition

PART = TopicPartition("t", 0)


def records(first: int, last: int, size: int = 100) -> list[Record]:
    return [Record(f"t-0:{n}", None, 1.0, size, None, str(n)) for n in range(first, last + 1)]


def poll(partition: Partition, *args: int, **more: int) -> None:
    found = records(*args, **more)
    partition.polled(found)
    partition.deliver(found)


def tokens(some: object) -> list[int]:
    return [int(one.token) for one in some]  # type: ignore[attr-defined]


@virtual
async def test_a_page_is_served_in_slices() -> None:
    """Catches: a rest of a page that is lost, or served twice."""
    partition = Partition(PART, clock=FakeClock())
    poll(partition, 0, 4)
    poll(partition, 5, 6)
    assert [tokens(await partition.read(3)) for _ in range(3)] == [[0, 1, 2], [3, 4], [5, 6]]
    assert partition.drained


@virtual
async def test_it_is_drained_only_when_all_that_was_polled_is_read() -> None:
    """Also what is on its way from the poll thread. Catches: a rest or an idle that passes over it."""
    partition = Partition(PART, clock=FakeClock())
    found = records(0, 4)
    partition.polled(found)
    assert not partition.drained
    partition.deliver(found)
    await partition.read(3)
    assert not partition.drained
    await partition.read(3)
    assert partition.drained


@virtual
async def test_it_knows_how_far_it_was_delivered_at_once() -> None:
    """Catches: the position of the poll before, behind what is handled meanwhile."""
    partition = Partition(PART, clock=FakeClock())
    partition.passed(3)
    poll(partition, 3, 7)
    assert partition.read_to == 8
    partition.passed(9)  # a transaction's marker lies behind
    assert partition.read_to == 9


@virtual
async def test_sated_at_half_it_is_hungry_at_a_quarter_and_says_so_once() -> None:
    """Mutations: a poll for every few records; a poll thread that is not woken; one that is woken for every read."""
    partition, woken = Partition(PART, clock=FakeClock()), []
    partition.when_hungry = lambda: woken.append(1)
    poll(partition, 1, MOST_RECORDS // 2 - 1)
    assert partition.hungry()
    poll(partition, MOST_RECORDS // 2, MOST_RECORDS // 2)
    assert not partition.hungry()
    await partition.read(MOST_RECORDS // 4 - 1)
    await partition.read(1)
    assert not partition.hungry()
    assert not woken
    await partition.read(1)
    await partition.read(1)
    assert woken == [1]
    assert partition.hungry()


@virtual
async def test_once_full_it_takes_no_more_before_it_is_hungry() -> None:
    """Mutations: a buffer without bounds; a pause and a resume for every few records."""
    partition = Partition(PART, clock=FakeClock())
    poll(partition, 1, MOST_RECORDS - 1)
    assert not partition.full()
    poll(partition, MOST_RECORDS, MOST_RECORDS)
    assert partition.full()
    await partition.read(MOST_RECORDS)  # the first page, but for the last record
    poll(partition, 0, MOST_RECORDS // 2)
    assert partition.full()
    await partition.read(MOST_RECORDS)
    await partition.read(MOST_RECORDS // 4 + 2)
    assert not partition.full()


@virtual
async def test_large_records_fill_it_too() -> None:
    """Mutation: records are counted alone."""
    partition = Partition(PART, clock=FakeClock())
    poll(partition, 0, 3, size=2**20)
    assert not partition.hungry()
    poll(partition, 4, 7, size=2**20)
    assert partition.full()


@virtual
async def test_a_cancelled_read_loses_nothing() -> None:
    partition = Partition(PART, clock=FakeClock())
    reading = asyncio.ensure_future(partition.read(10))
    await asyncio.sleep(0)
    poll(partition, 0, 2)
    reading.cancel()
    await asyncio.sleep(0)
    assert tokens(await partition.read(10)) == [0, 1, 2]


@virtual
async def test_it_is_left_when_asked_lost_or_overdue() -> None:
    """Catches: a loss that waits for a deadline; a deadline that was moved on meanwhile and is not looked at."""
    clock = FakeClock()
    asked, lost, overdue = (Partition(PART, clock=clock) for _ in range(3))
    start, until = clock.boot(), {"deadline": clock.boot() + 10}
    leaving = [asyncio.ensure_future(one.leave(lambda: until["deadline"])) for one in (asked, lost, overdue)]
    await asyncio.sleep(5)
    asked.ask(240)
    lost.lose("gone")
    until["deadline"] = start + 20
    await asyncio.sleep(14)
    assert [one.done() for one in leaving] == [True, True, False]
    assert [await one for one in leaving] == [240, 0, 0]
    assert clock.boot() == start + 20
    with pytest.raises(LaneLost, match="not answered"):
        overdue.still_ours()


class Group:
    """Keeps what was committed; refuses when it is told to."""

    def __init__(self) -> None:
        self.kept = Offset(5, "")
        self.refuses: Exception | None = None

    async def commit(self, _: TopicPartition, offset: Offset) -> None:
        await asyncio.sleep(0.01)
        if self.refuses is not None:
            raise self.refuses
        self.kept = offset

    def cursor(self, owner: str) -> OffsetCursor:
        return OffsetCursor(Partition(PART, clock=FakeClock()), self.kept, owner, self.commit, lambda: 1e9)

    @property
    def note(self) -> Note:
        return Note.of(self.kept.metadata)


@virtual
async def test_a_cursor_writes_the_next_offset_and_its_note() -> None:
    """Catches: the last offset in its place (handled again); crashes that stay when the position moves."""
    group = Group()
    first = group.cursor("a")
    await first.take()
    assert (group.kept.next, group.note.owner, first.position) == (5, "a", "4")
    second = group.cursor("b")
    await second.take()
    await second.mark(Mark(position="5", attempt=1))
    assert (group.note.crashes, group.note.mark) == (1, Mark(position="5", attempt=1))
    await second.commit("4")
    assert group.note.crashes == 1
    await second.commit("9")
    assert group.kept == Offset(10, Note(owner="b", epoch=2).text())
    await second.close(finished=False)
    assert group.kept == Offset(10, Note(epoch=2).text())


@virtual
async def test_a_cursor_that_was_fenced_or_lost_writes_nothing_more() -> None:
    """Catches: a commit under a later membership; one that is tried again and again."""
    group = Group()
    cursor = group.cursor("a")
    await cursor.take()
    group.refuses = Fenced("another generation")
    with pytest.raises(LaneLost):
        await cursor.commit("9")
    group.refuses = None
    with pytest.raises(LaneLost):
        await cursor.close(finished=False)
    assert (group.kept.next, group.note.owner) == (5, "a")
    assert await cursor.leave() == 0


@virtual
async def test_a_write_that_failed_leaves_the_cursor_where_it_was() -> None:
    group = Group()
    cursor = group.cursor("a")
    group.refuses = TimeoutError("no answer")
    with pytest.raises(TimeoutError):
        await cursor.commit("9")
    assert cursor.position == "4"


@virtual
async def test_the_deadline_lies_a_session_behind_what_was_heard_last() -> None:
    """Catches: a heartbeat that was sent and not answered taken for one; a margin that is none."""
    clock = FakeClock()
    contact, start = Contact(10.0, clock), clock.boot()
    for _ in range(5):
        await asyncio.sleep(1)
        contact.look(0.25)
    assert contact.deadline == start + 5 - 0.25 + 9
    for _ in range(3):
        await asyncio.sleep(1)
        contact.look(60.0)
    assert contact.deadline == start + 5 - 0.25 + 9
    contact.heard(start + 7)
    contact.heard(start + 6)
    assert contact.deadline == start + 7 + 9


@virtual
async def test_who_stood_still_for_a_session_believes_nothing_that_was_said_before() -> None:
    """SIGSTOP: the client's clock stood as ours, and its last answer looks young. Catches: a deadline that it moves."""
    clock = FakeClock()
    contact, start = Contact(10.0, clock), clock.boot()
    await asyncio.sleep(1)
    contact.look(0.0)
    await asyncio.sleep(20)
    contact.look(0.0)
    assert contact.deadline == start + 1 + 9 < clock.boot()
    await asyncio.sleep(1)
    contact.look(0.0)
    assert contact.deadline == clock.boot() + 9


@virtual
async def test_it_rests_at_no_offset_that_is_behind_what_was_read_or_ahead_of_it() -> None:
    """Catches: a position of a poll before taken for the place to rest; one that skips what waits."""
    partition = Partition(PART, clock=FakeClock())
    poll(partition, 3, 6)
    partition.passed(7)
    assert partition.behind_all is None, "what was delivered waits still"
    await partition.read(10)
    assert partition.behind_all == 7
    partition.passed(5)
    assert partition.behind_all is None, "5 lies behind what was read"
    partition.passed(12)
    assert partition.behind_all == 12, "markers were passed"
    partition.moved()
    assert partition.behind_all is None, "of a topic that was made again"
