"""A source of one lane over a queue in memory, and a log that keeps its lines: for tests of whole mappings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from headrace.model import Condition
from headrace.testing import MemoryQueue, MemoryQueueLane
from support.engine import Lines


class Told(Lines):
    exception = Lines.info


class Source:
    condition = Condition("connecting")
    lane = MemoryQueueLane

    def __init__(self, queue: MemoryQueue, *, dies_after: float | None = None, odd: bool = False) -> None:
        self.queue, self.dies_after, self.odd = queue, dies_after, odd
        self.opened = 0

    async def lanes(self) -> AsyncIterator[Any]:
        self.opened += 1
        yield self.lane(self.queue)
        if self.dies_after is not None:
            await asyncio.sleep(self.dies_after)
            raise LookupError("what nobody expected")

    def render(self, records: Any) -> Any:
        if self.odd:
            raise KeyError("MD5OfBody")
        return {"Records": [dict(record.raw) for record in records]}

    def identify(self, identifier: object) -> str | None:
        return str(identifier)

    async def idle(self) -> bool:
        return True

    async def lag(self) -> int | None:
        return None

    async def dead_lettered(self) -> int | None:
        return None

    async def close(self) -> None:
        pass
