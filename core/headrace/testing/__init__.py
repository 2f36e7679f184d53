"""For those who test handlers and connectors: a virtual clock, lanes in memory, a conformance suite, a faulty network.

`headrace.testing.conformance` is imported by its own name, because it needs pytest. So are `headrace.testing.history`
and `headrace.testing.order`, which find loss, repeats and disorder in what handlers noted while a service was broken on
purpose. `Every` has a schedule fire each tenth of a second.
"""

from headrace.testing.clock import DeadlockError, FakeClock, VirtualLoop, on_virtual_time, run, virtual
from headrace.testing.every import Every
from headrace.testing.harness import Harness, LogHarness, QueueHarness, tended
from headrace.testing.proxy import FaultProxy
from headrace.testing.queue import MemoryQueue
from headrace.testing.queue_lane import MemoryQueueLane
from headrace.testing.stream import MemoryCursor, MemoryLog, MemoryReader

__all__ = [
    "DeadlockError",
    "Every",
    "FakeClock",
    "FaultProxy",
    "Harness",
    "LogHarness",
    "MemoryCursor",
    "MemoryLog",
    "MemoryQueue",
    "MemoryQueueLane",
    "MemoryReader",
    "QueueHarness",
    "VirtualLoop",
    "on_virtual_time",
    "run",
    "tended",
    "virtual",
]
