"""A partition as a queue: what comes again, when, and what waits for its group."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest

from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace.log import LogLane
from headrace.model import LaneLost, Order, Record
from headrace.observe import log
from headrace_connectors.kafka.event import records
from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.present.shape import Around, Presented
from headrace_connectors.kafka.present.sqs import SqsShape
from headrace_connectors.kafka.queue.again import Again, body_of, counted, read
from headrace_connectors.kafka.queue.lane import QueueLane
from headrace_connectors.kafka.queue.opening import Queueing, Waiting
from headrace_connectors.kafka.queue.returns import Returns
from headrace_connectors.kafka.queue.shelf import MOST, RECEIVE, Grouped, Unordered
from support.handclock import HandClock

NOW = 1_700_000_000.0


def message(offset: int = 0, key: bytes | None = b"k", value: bytes | None = b"{}", **more: object) -> PlainMessage:
    return PlainMessage("testbed.orders", 1, offset, 1_700_000_000_123, 0, key, value, **more)


def record(number: int, key: str | None = None) -> Record:
    made = Record(f"r{number}", {"Attributes": {}}, NOW, 10, key, str(number), 1)
    made.number = number
    return made


# how it lies in the retry topic


@pytest.mark.parametrize(
    "whole",
    [
        message(7),
        message(8, key=None, value=None),
        message(9, key=b"\xff\x00", value=b"\xfe", headers=[("h", b"\x80\x7f"), ("h", b"")]),
    ],
)
def test_a_message_comes_back_from_the_retry_topic_as_it_was(whole: PlainMessage) -> None:
    found = read(message(0, value=body_of(Again(whole, 3, NOW + 1.5))))
    assert found == Again(whole._replace(headers=list(whole.headers)), 3, NOW + 1.5)


@pytest.mark.parametrize("value", [None, b"", b"hello", b"{}", b'{"attempt": 1, "due": 2, "record": {}}', b"[1]"])
def test_what_is_nothing_of_ours_is_a_message_of_its_own(value: bytes | None) -> None:
    foreign = message(4, value=value)
    assert read(foreign) == Again(foreign, 1, 0.0)


def test_a_waiting_message_is_shown_as_the_first_time_but_for_its_count() -> None:
    shape = SqsShape(Around(name="orders", bootstrap_servers="h:1"))
    first = message(7, headers=[("colour", b"red")])
    (shown,) = shape.records([first], received=NOW)
    at = PlainMessage("testbed.orders.retry", 0, 3, 1_700_000_009_000, 0, b"k", body_of(Again(first, 2, NOW)))
    again = Queueing._waiting(shape, at, NOW)
    assert isinstance(again, Waiting)
    assert (again.token, again.attempt, again.due, again.id) == ("3", 2, NOW, shown.id)
    before, after = (shape.render([one])["Records"][0] for one in (shown, again))
    assert after["attributes"].pop("ApproximateReceiveCount") == "2"
    assert before["attributes"].pop("ApproximateReceiveCount") == "1"
    assert before == after


def test_what_no_shape_can_show_waits_for_nothing() -> None:
    shape = SqsShape(Around(name="orders", bootstrap_servers="h:1"))
    at = message(5, value=body_of(Again(message(7, value=b"\xff"), 2, NOW + 60)))
    unreadable = Queueing._waiting(shape, at, NOW)
    assert not isinstance(unreadable, Presented)
    assert unreadable.token == "5"


# shelves


def test_what_is_due_first_comes_first() -> None:
    shelf = Unordered()
    for number, due in enumerate([5.0, 1.0, 3.0, 1.0]):
        shelf.put(record(number), due)
    assert shelf.take(9, 0.5) == []
    assert shelf.next_due(0.5) == 0.5
    assert [one.number for one in shelf.take(1, 3.0)] == [1]
    assert [one.number for one in shelf.take(9, 3.0)] == [3, 2]
    assert [one.number for one in shelf.take(9, 5.0)] == [0]
    assert shelf.next_due(5.0) == math.inf


def test_a_shelf_is_full_at_its_bound() -> None:
    for shelf in (Unordered(), Grouped()):
        for number in range(MOST - 1):
            shelf.put(record(number), 0.0)
        assert not shelf.full
        shelf.put(record(MOST), 0.0)
        assert shelf.full


def test_a_group_is_given_out_once_until_all_of_it_is_done() -> None:
    shelf = Grouped()
    for number, key in enumerate("aabab"):
        shelf.put(record(number, key), 0.0)
    page = shelf.take(2, 0.0)
    assert [one.number for one in page] == [0, 1]
    (other,) = shelf.take(1, 0.0)
    assert other.number == 2
    assert shelf.take(9, 0.0) == []
    shelf.done(page[:1])
    assert shelf.take(9, 0.0) == []
    shelf.done(page[1:])
    assert [one.number for one in shelf.take(9, 0.0)] == [3]
    shelf.done([other])
    assert [one.number for one in shelf.take(9, 0.0)] == [4]


def test_what_comes_again_holds_its_group_and_no_other() -> None:
    shelf = Grouped()
    for number, key in enumerate("aba"):
        shelf.put(record(number, key), 0.0)
    first, *_ = page = shelf.take(9, 0.0)
    shelf.put(first, 10.0)
    shelf.put(page[2], 0.0)
    shelf.done(page)
    assert shelf.take(9, 9.0) == []
    assert shelf.next_due(9.0) == 1.0
    assert [one.number for one in shelf.take(9, 10.0)] == [0, 2]


def test_one_receive_of_a_fifo_queue_is_ten_at_most() -> None:
    shelf = Grouped()
    for number in range(RECEIVE + 2):
        shelf.put(record(number, "a"), 0.0)
    assert len(shelf.take(100, 0.0)) == RECEIVE


# the lane


class Reader:
    """A log that gives what it is told, then nothing for ever."""

    def __init__(self, found: Sequence[Record]) -> None:
        self.left = list(found)

    async def read(self, limit: int) -> Sequence[Record]:
        if not self.left:
            await asyncio.Event().wait()
        found, self.left = self.left[:limit], self.left[limit:]
        return found

    async def close(self) -> None: ...


class Cursor:
    epoch, deadline, doubt = 1, math.inf, None
    position = "-1"

    async def leave(self) -> float:
        await asyncio.Event().wait()
        return 0.0

    async def commit(self, position: str, memo: object = None) -> None:
        self.position = position

    async def mark(self, mark: object) -> None: ...

    async def close(self, *, finished: bool) -> None: ...

    def drop(self) -> None: ...


class Topic:
    """A retry topic, which takes nothing while it is down."""

    name = "kafka retry"

    def __init__(self) -> None:
        self.down = False
        self.sent: list[Message] = []

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        if self.down:
            return [Reply(Said.FAILED, "down")] * len(messages)
        self.sent += messages
        return [CONFIRMED] * len(messages)

    async def close(self) -> None: ...


class Made:
    """A lane over messages 0, 1, 2 … of the values, by its shape."""

    def __init__(self, count: int, *, fifo: bool = False) -> None:
        self.clock = HandClock()
        self.clock.now = NOW
        self.cursor, self.topic = Cursor(), Topic()
        shape = SqsShape(Around(name="orders.fifo" if fifo else "orders", bootstrap_servers="h:1"))
        found = shape.records([message(offset) for offset in range(count)], received=NOW)
        self.log = LogLane("testbed.orders-1", Reader(found), self.cursor, clock=self.clock)
        returns = None if fifo else Returns(self.topic, "testbed.orders-1", self.log.ack, log())
        shelf = Grouped() if fifo else Unordered()
        self.lane = QueueLane(self.log, shelf, returns, visibility=30, clock=self.clock)


async def test_what_fails_is_settled_when_the_retry_topic_has_it_and_not_before() -> None:
    made = Made(2)
    first, second = await made.lane.fetch(9)
    await made.lane.nack([first], None)
    await made.lane.ack([second])
    assert made.lane.held.records == 0
    assert made.log.held.records == 2
    made.topic.down = True
    await made.lane.close()
    assert made.cursor.position == "-1"


async def test_it_is_written_with_its_next_count_and_due_after_its_visibility_or_the_delay() -> None:
    made = Made(2)
    first, second = await made.lane.fetch(9)
    await made.lane.nack([first], None)
    await made.lane.nack([second], 5.0)
    await made.lane.close()
    found = [read(message(value=one.body)) for one in made.topic.sent]
    assert [(one.message.offset, one.attempt, one.due) for one in found] == [(0, 2, NOW + 30), (1, 2, NOW + 5)]
    assert made.cursor.position == "1"


async def test_of_a_lane_that_is_lost_nothing_goes_to_the_retry_topic() -> None:
    made = Made(2)
    first, _ = await made.lane.fetch(9)
    made.cursor.deadline = -math.inf
    with pytest.raises(LaneLost):
        await asyncio.wait_for(made.lane.tend(), 30)
    with pytest.raises(LaneLost):
        await made.lane.nack([first], None)
    await made.lane.close()
    assert made.topic.sent == []


async def test_a_fetch_that_is_cancelled_loses_nothing() -> None:
    made = Made(1)
    fetching = asyncio.ensure_future(made.lane.fetch(9))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    assert len(await asyncio.wait_for(made.lane.fetch(9), 5)) == 1


async def test_in_a_fifo_queue_what_fails_waits_in_its_place_and_its_position_with_it() -> None:
    made = Made(2, fifo=True)
    assert made.lane.traits.order is Order.KEY
    first, second = await made.lane.fetch(9)
    await made.lane.nack([first], 0.0)
    await made.lane.nack([second], 0.0)
    again = await made.lane.fetch(9)
    assert [one.id for one in again] == [first.id, second.id]
    assert [one.attempt for one in again] == [2, 2]
    assert again[0].raw["Attributes"]["ApproximateReceiveCount"] == "2"
    await made.lane.ack(again[1:])
    await made.lane.close()
    assert made.cursor.position == "-1"


def test_a_record_of_kafkas_own_shape_keeps_the_count_alone() -> None:
    (plain,) = records([message()], received=NOW)
    counted(plain, 4)
    assert plain.attempt == 4
