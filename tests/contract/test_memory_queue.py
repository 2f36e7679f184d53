"""The memory queue passes the suite that it is the model for."""

from __future__ import annotations

import pytest

from headrace.testing import Harness, MemoryQueue, QueueHarness, on_virtual_time, virtual
from headrace.testing.conformance import Fences, LaneConformance, Redelivers


@on_virtual_time
class TestMemoryQueue(LaneConformance, Redelivers, Fences):
    @pytest.fixture
    def harness(self) -> Harness:
        return QueueHarness()


@on_virtual_time
class TestMemoryQueueThatReadsAhead(LaneConformance, Redelivers, Fences):
    @pytest.fixture
    def harness(self) -> Harness:
        return QueueHarness(ahead=True)


@virtual
async def test_a_receipt_that_was_overtaken_deletes_nothing():
    queue = MemoryQueue(visibility=0.0)
    queue.send(["a"])
    (first,) = queue.receive(1)
    stale = first.receipt
    queue.receive(1)
    assert queue.delete(first, stale)
    assert len(queue) == 1


@virtual
async def test_a_message_is_dead_when_it_would_be_received_once_too_often():
    queue = MemoryQueue(visibility=0.0, max_receive_count=2)
    queue.send(["a"])
    assert [message.received for _ in range(2) for message in queue.receive(1)] == [1, 2]
    assert queue.receive(1) == []
    assert [message.id for message in queue.dead] == ["a"]
    assert len(queue) == 0


@virtual
async def test_at_most_ten_in_one_receive():
    queue = MemoryQueue()
    queue.send(map(str, range(12)))
    assert len(queue.receive(10)) == 10
    assert queue.in_flight == 10
    with pytest.raises(ValueError):
        queue.receive(11)
