"""A mapping's way to the store for what became of records whose destination is away."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

from headrace.clock import Clock
from headrace.ending import beside
from headrace.observe import Log
from headrace.outcomes import KeptOutcome, Outcomes

T = TypeVar("T")

KEPT_FOR: Final = 15 * 86400.0
"""Seconds: a day longer than any queue of AWS keeps a message. Of a log it is as good as any: a copy that holds its
records keeps them anew every day, so it counts from when the last was stopped."""

PATIENCE: Final = 5.0
"""Seconds that the store has for an answer. A stop may wait for it, so it is well below a drain's 30."""

RESTS: Final = 10.0
"""Seconds for which a store that did not answer is not told of anything."""

LONGEST_REST: Final = 300.0
"""Seconds for which it is not asked, at most, in the end: a batch waits for the answer before its handler is called."""

TIDIES_EVERY: Final = 5.0
"""Seconds between two droppings of what is over. By then deletes and commits are done: until they are, a kill brings
the records again."""


class Tidied(Protocol):
    """A lane of which something may be over."""

    @property
    def name(self) -> str:
        """What the store calls it."""
        ...

    def tidy(self) -> Sequence[str]:
        """Of which records nothing need be kept any more, by what the store calls them; once."""
        ...


class Keeper:
    """A store that is away is told of once, and holds up nobody: records are run again then, after a stop or a kill."""

    def __init__(self, mapping: str, store: Callable[[], Awaitable[Outcomes]], clock: Clock, log: Log) -> None:
        self._mapping, self._store, self._clock, self._log = mapping, store, clock, log
        self._lanes: list[Tidied] = []
        self._news = asyncio.Event()
        self._failed, self._failures = -math.inf, 0
        self._told = False

    async def keep(self, lane: str, outcome: KeptOutcome, *, epoch: int) -> bool:
        """False where it could not be kept now."""

        async def ask(store: Outcomes) -> bool:
            await store.keep(self._mapping, lane, outcome, KEPT_FOR, epoch=epoch)
            return True

        return await self._asked(ask) or False

    async def kept(self, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome] | None:
        """As `Outcomes.kept`; None where nobody can say now."""
        return await self._asked(lambda store: store.kept(self._mapping, lane, records), longest=LONGEST_REST)

    async def drop(self, lane: str, records: Sequence[str]) -> None:
        """As `Outcomes.drop`; what cannot be dropped now ends by itself."""
        await self._asked(lambda store: store.drop(self._mapping, lane, records))

    def tidy(self, lane: Tidied) -> None:
        """Something of *lane* is over, or will be."""
        if lane not in self._lanes:
            self._lanes.append(lane)
        self._news.set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Drop what is over beside the block, and once more at its end; what that does not reach ends by itself."""
        async with beside(self._tidy(), self._drop):
            yield

    async def _tidy(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(TIDIES_EVERY)
            await self._drop()
            if self._lanes:
                self._news.set()

    async def _drop(self) -> None:
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            if records := lane.tidy():
                await self.drop(lane.name, records)

    async def _asked(self, ask: Callable[[Outcomes], Awaitable[T]], *, longest: float = RESTS) -> T | None:
        """None where the store does not answer, or rests because it did not."""
        if self._clock.boot() < self._failed + min(RESTS * 2**self._failures, longest):
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await ask(await self._store())
        except Exception as error:  # noqa: BLE001 - whatever a store raises, the mapping goes on
            self._failed, self._failures = self._clock.boot(), min(self._failures + 1, 10)
            self._say(error)
            return None
        self._failed, self._failures = -math.inf, 0
        return answer

    def _say(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._log.warning(
                "outcomes.not_kept",
                error=f"{type(error).__name__}: {error}",
                what="a record that waits for its destination when this copy is stopped or killed is run again",
            )
