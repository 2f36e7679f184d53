"""What only a source can say about its backlog, asked for every few seconds beside the work."""

from __future__ import annotations

import asyncio
from typing import Final

from headrace.mapping import Mapping
from headrace.observe import Tally, log
from headrace.service.status import Sampled

EVERY: Final = 15.0
"""Seconds between two samples."""

TIMEOUT: Final = 10.0
"""Seconds that a source may take to answer."""


class Sampler:
    """Keeps the `Sampled` of one mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self.sampled = Sampled()
        self._mapping = mapping
        self._seen: dict[str, tuple[int, float]] = {}

    async def run(self, every: float = EVERY) -> None:
        """Sample every so many seconds, until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(every)

    async def sample(self) -> None:
        """Ask once. What cannot be had is None; it is never an error of the service."""
        try:
            async with asyncio.timeout(TIMEOUT):
                records = await self._mapping.lag()
                dead = await self._mapping.dead_lettered()
        except Exception as error:  # noqa: BLE001 - whatever a connector's client raises
            log(mapping=self._mapping.name).debug("lag.unknown", error=f"{type(error).__name__}: {error}")
            records = dead = None
        self.sampled.lag_records = records
        self.sampled.dead_lettered = self.sampled.dead_lettered if dead is None else dead  # it is shown at the end, too
        known = self._mapping.behind()
        self.sampled.lag_seconds = {
            name: self._lag_seconds(name, tally, records) if (behind := known.get(name)) is None else round(behind, 3)
            for name, tally in self._mapping.tallies.items()
        }

    def _lag_seconds(self, lane: str, tally: Tally, waiting: int | None) -> float | None:
        """How old records were, on average, when they were handed over since the last sample.

        0 when nothing waits; None when nothing was handed over, for then nobody knows.
        """
        now = sum(tally.age.counts), tally.age.total
        before, self._seen[lane] = self._seen.get(lane, (0, 0.0)), now
        if now[0] > before[0]:
            return round((now[1] - before[1]) / (now[0] - before[0]), 3)
        return 0.0 if waiting == 0 else None
