"""The memory log, under core's log lane, passes the suite."""

from __future__ import annotations

import pytest

from headrace.model import LaneLost
from headrace.testing import Harness, LogHarness, MemoryCursor, MemoryLog, MemoryReader, on_virtual_time, virtual
from headrace.testing.conformance import Ends, Fences, LaneConformance


@on_virtual_time
class TestMemoryLog(LaneConformance, Ends, Fences):
    @pytest.fixture
    def harness(self) -> Harness:
        return LogHarness()


@virtual
async def test_whole_pages_are_read_and_served_in_slices():
    log = MemoryLog(page=6)
    log.put("abcdefgh")
    reader = MemoryReader(log, None)
    slices = [[record.id for record in await reader.read(4)] for _ in range(3)]
    assert slices == [["a", "b", "c", "d"], ["e", "f"], ["g", "h"]]
    assert log.reads == 2


@virtual
async def test_a_shared_position_is_never_torn():
    log = MemoryLog(page=2)
    log.put("a")
    log.put("bcd", shared=True)
    reader = MemoryReader(log, None)
    assert [record.id for record in await reader.read(2)] == ["a", "b", "c", "d"]


@virtual
async def test_who_was_overtaken_writes_nothing():
    log = MemoryLog()
    old = MemoryCursor(log, log.seize())
    new = MemoryCursor(log, log.seize())
    await new.commit("2")
    with pytest.raises(LaneLost):
        await old.commit("1")
    assert log.commits == [(2, "2")]
