"""A stretch of a log in place of dead letters: its records again, in batches, each batch as a letter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from headrace.letters import Posted
from headrace.mailbox import Rereader
from headrace.model import Keep, Unreadable
from headrace.replaying.batches import Batch, Batches
from headrace.seeking import Target


@dataclass(slots=True, kw_only=True)
class RangeMailbox:
    """Nothing is deleted from a log: what was replayed is remembered by its positions.

    Attributes:
        name: whose records they are, for people.
        taken: whether the mapping's filters want a record; NoLetter: they cannot judge it.
        begun: names of letters of which something is remembered.
    """

    name: str
    rereader: Rereader
    first: Target
    last: Target
    lane: str | None
    size: int
    taken: Keep
    begun: Collection[str]
    keeps: bool = True

    async def letters(self) -> AsyncIterator[Posted]:
        for stretch in await self.rereader.between(self.first, self.last, self.lane):
            batches = Batches(stretch.lane, self.size, self.taken, self.begun)
            async for records in self.rereader.read(stretch):
                for record in records:
                    for batch in batches.add(record):
                        yield self._posted(stretch.lane, batch)
            for batch in batches.rest():
                yield self._posted(stretch.lane, batch)

    def _posted(self, lane: str, batch: Batch) -> Posted:
        first = batch.records[0]
        if isinstance(first, Unreadable):
            return Posted(id=batch.name, body=b"", at=first.at, lane=lane, unreadable=first.why)
        return Posted(id=batch.name, body=b"", at=first.at, lane=lane, event=self.rereader.render(batch.records))

    async def done(self, posted: Posted) -> None:
        """It stays."""

    async def back(self, posted: Posted) -> None:
        """It stays."""

    async def close(self) -> None:
        await self.rereader.close()
