"""A log that is read as a queue passes the suite of queues: as FIFO, and where its retry topic is the log itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest

from headrace.destination import CONFIRMED, Message, Reply
from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.observe import log
from headrace.testing import FakeClock, LogHarness, MemoryLog, MemoryReader, on_virtual_time
from headrace.testing.conformance import Fences, LaneConformance, Redelivers, named
from headrace.testing.harness import tended
from headrace.testing.stream import MemoryCursor
from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.kafka.queue.again import read
from headrace_connectors.kafka.queue.lane import QueueLane
from headrace_connectors.kafka.queue.opening import Waiting
from headrace_connectors.kafka.queue.returns import Returns
from headrace_connectors.kafka.queue.shelf import Grouped, Unordered

VISIBILITY = 30.0


class FifoHarness(LogHarness):
    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        """Who names no groups means one for each."""
        await super().put(names, keys or names)

    def open(self) -> AbstractAsyncContextManager[Lane]:
        return tended(QueueLane(self.log.lane(), Grouped(), None, visibility=VISIBILITY, clock=FakeClock()))


class Messages:
    """A memory log's records as those of a topic; `due` says when what was given back comes."""

    def __init__(self, memory: MemoryLog) -> None:
        self.due: dict[str, float] = {}
        self._reader = MemoryReader(memory, memory.position)

    async def read(self, limit: int) -> Sequence[Record]:
        return [self._message(record) for record in await self._reader.read(limit)]

    def _message(self, record: Record) -> Record:
        key = record.key.encode() if record.key else None
        message = PlainMessage("queue", 0, 0, None, None, key, record.id.encode())
        made = Waiting(record, message, message, self.due.get(record.token, 0.0))
        made.token = record.token
        return made

    async def close(self) -> None:
        await self._reader.close()


class StandardHarness(LogHarness):
    def open(self) -> AbstractAsyncContextManager[Lane]:
        messages = Messages(self.log)
        cursor = MemoryCursor(self.log, self.log.seize())
        lane = LogLane("queue", messages, cursor, clock=self.log.clock)
        returns = Returns(Retry(self.log, messages), "queue", lane.ack, log())
        return tended(QueueLane(lane, Unordered(), returns, visibility=VISIBILITY, clock=FakeClock()))


class Retry:
    """Takes what is to come again, and puts it at the log's end."""

    name = "kafka queue"

    def __init__(self, memory: MemoryLog, messages: Messages) -> None:
        self._log, self._messages = memory, messages

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        for one in messages:
            again = read(PlainMessage("queue", 0, 0, None, None, None, one.body))
            self._log.put([(again.message.value or b"").decode()])
            self._messages.due[self._log.entries[-1][2]] = again.due
        return [CONFIRMED] * len(messages)

    async def close(self) -> None: ...


@on_virtual_time
class TestFifo(LaneConformance, Redelivers, Fences):
    @pytest.fixture
    def harness(self) -> FifoHarness:
        return FifoHarness()

    async def test_a_gap_is_not_passed_over(self, harness: FifoHarness) -> None:
        """A group has to wait where it lies: what was settled behind it comes again, as docs/parity.md says."""
        names = named("ABCDE")
        _, again = await self._again(harness, names, acked=[names[0], names[1], names[3]])
        assert again == names[2:]


@on_virtual_time
class TestStandard(LaneConformance, Redelivers, Fences):
    @pytest.fixture
    def harness(self) -> StandardHarness:
        return StandardHarness()
