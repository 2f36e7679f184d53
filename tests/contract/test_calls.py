"""The queues of calls of the three stores pass one suite; Redis is a real one."""

from __future__ import annotations

import pytest

from headrace.ledger import Ledger
from headrace.memory import MemoryLedger
from headrace.testing import FakeClock, on_virtual_time
from headrace.testing.calls import CallsConformance


@on_virtual_time
class TestMemoryCalls(CallsConformance):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger(FakeClock())
