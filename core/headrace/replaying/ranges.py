"""A stretch of a log in place of dead letters: its records again, in batches, each batch as a letter."""

from __future__ import annotations

from collections.abc import AsyncIterator

from headrace.letters import Posted
from headrace.mailbox import Rereader
from headrace.seeking import Target


class RangeMailbox:
    """Nothing is deleted from a log: what was replayed is remembered by its positions."""

    keeps = True

    def __init__(
        self, mapping: str, rereader: Rereader, *, first: Target, last: Target, lane: str | None, size: int
    ) -> None:
        self.name = f"records of {mapping}"
        self._rereader, self._first, self._last = rereader, first, last
        self._lane, self._size = lane, size

    async def letters(self) -> AsyncIterator[Posted]:
        for stretch in await self._rereader.between(self._first, self._last, self._lane):
            async for records in self._rereader.read(stretch, self._size):
                yield Posted(
                    id=f"{stretch.lane}:{records[0].token}-{records[-1].token}",
                    body=b"",
                    at=records[0].at,
                    event=self._rereader.render(records),
                    lane=stretch.lane,
                )

    async def done(self, posted: Posted) -> None:
        """It stays."""

    async def back(self, posted: Posted) -> None:
        """It stays."""

    async def close(self) -> None:
        await self._rereader.close()
