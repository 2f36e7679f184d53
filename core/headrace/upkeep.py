"""The upkeep of a stream's shard graph: written, added to, repaired, and written back where a store lost it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from headrace import graph
from headrace.errors import GraphChanged, PositionsLost, PositionsMissing, SourceUnavailable
from headrace.graph import Kept, Start
from headrace.holding import Holding
from headrace.leases import Leases
from headrace.ledger import Graph, Ledger
from headrace.memory import MemoryLedger
from headrace.model import Position
from headrace.plugins import Opening
from headrace.shards import Listable, Listed, Listing
from headrace.times import unix

AUDIT = 60.0
"""Seconds between two listings of a stream, at most: they find what nobody told."""

SOON = 5.0
"""The same while a shard has ended whose children are not known."""

GONE = 300.0
"""Seconds in which no listing may show an ended shard before its row is removed. Listings are late by some of them;
while shards change there are many.
"""


class Upkeep:
    """Every copy keeps the same graph up; each step is one write of the ledger, so none leads.

    Attributes:
        known: the graph as of the last look; None before the first, and while it is written back.
        found: children that were told of, and are not added yet.

    *last* are the holdings of this copy by shard, whether or not they are held still; *news* is set when it should be
    looked again at once; *listed* is told the source's own time after each listing of the known stream; *restored* is
    what a position becomes when it is written back.
    """

    def __init__(
        self,
        opening: Opening,
        shards: Listable,
        leases: Leases,
        last: Mapping[str, Holding],
        *,
        news: asyncio.Event,
        listed: Callable[[float], None],
        restored: Callable[[Position], Position],
    ) -> None:
        self._settings, self._mapping = opening.settings, opening.mapping
        self._log, self._clock = opening.log, opening.clock
        self._shards, self._leases, self._last = shards, leases, last
        self._news, self._listed, self._restored = news, listed, restored
        self.known: Graph | None = None
        self.found: list[Listed] = []
        self._listing: Listing | None = None  # of a first start, until its graph is written
        self._settled = self._audit_at = 0.0
        self._unlisted: dict[str, float] = {}  # ended shards, and since when no listing shows them

    def tell(self, children: Sequence[Listed]) -> None:
        """As `shards.Found`."""
        self.found += children
        self._news.set()

    def look_for_children(self) -> None:
        """A shard has ended: unless they were told, its children must be listed."""
        self._audit_at = min(self._audit_at, self._clock.boot() + (SOON if self.found else 0.0))
        self._news.set()

    async def look(self, ledger: Ledger) -> Graph | None:
        """Bring the graph up to date; None while it is not, or was changed just now: then look again."""
        seen = await ledger.rows(self._mapping)
        if self.known is not None and (seen.generation is None or graph.is_older(self.known, seen)):
            await self._restore(ledger, self.known, seen)
            return None
        if seen.generation is None:
            await self._begin(ledger)
            return None
        self._compare(seen)
        self.known = seen
        if await self._audited(ledger, seen):
            self._news.set()
            return None
        return seen

    def _compare(self, seen: Graph) -> None:
        """Tell it where the store was emptied unseen by us, and who knew nothing of it wrote a first graph."""
        witness, rows = self._leases.witness, self.known.rows if self.known else ()
        last = self.known or witness.begun(self._mapping)
        if last is not None and last.generation != seen.generation and last.identity == seen.identity:
            was = {row.shard: row.position for row in rows if not row.ended}
            mend = "seek to where each shard was" if self._shards.seekable else "look what was to come meanwhile"
            self._log.error("graph.begun_anew", identity=seen.identity, was=was, mend=mend)
        witness.saw(self._mapping, seen.identity or "", seen.generation or "")

    async def _begin(self, ledger: Ledger) -> None:
        """Write the first graph, as of the first look, but not before who else may be alive had time to restore one.

        Raises:
            PositionsLost: it is not the first, and who wrote that may be gone.
            PositionsMissing: nobody knows whether it is, and the mapping is not to begin then.
        """
        if self._shards.seekable and (begun := self._leases.witness.begun(self._mapping)) is not None:
            raise PositionsLost(self._mapping, begun.store, begun.since)
        if self._settings.on_missing_positions == "fail":
            raise PositionsMissing(self._mapping)
        if self._listing is None:
            self._listing = await self._shards.list()
            patience = 0.0 if type(ledger) is MemoryLedger else 3 * self._leases.look_every  # nobody can empty that one
            self._settled = self._clock.boot() + patience
        if self._clock.boot() >= self._settled:
            listing, self._listing = self._listing, None
            settings = self._settings
            start = Start(settings.starting_position or "TRIM_HORIZON", unix(settings.starting_position_timestamp or 0))
            rows = graph.first(listing, start, self._shards)
            if await ledger.plan(self._mapping, listing.identity, rows):
                self._log.info("graph.written", identity=listing.identity, shards=len(rows), start=start.where)
            self._audit_at = self._clock.boot() + AUDIT
            self._news.set()

    async def _restore(self, ledger: Ledger, known: Graph, seen: Graph) -> None:
        """The store was emptied, or is an older copy: write back what we know, before anybody begins anew."""
        seen_at = {row.shard: row.epoch for row in known.rows}
        held = {
            shard: Kept(one.position, one.memo, one.epoch)
            for shard, one in self._last.items()
            if one.epoch >= seen_at.get(shard, 0)  # else another has held it since
        }
        lost = graph.went_back(known, seen, held)
        rows = [replace(row, position=self._restored(row.position)) for row in lost]
        for holding in self._leases.holding(self._mapping).values():
            holding.lose("the store was emptied, or put back to an older copy")
        if known.identity is None or known.generation is None:
            return
        written = await ledger.restore(self._mapping, known.identity, known.generation, rows)
        self._log.error("graph.restored", identity=known.identity, shards=sorted(written), by=self._leases.owner)
        self.known = None

    async def _audit(self, ledger: Ledger, seen: Graph) -> bool:
        """Add the children that were found; at its time compare the whole listing, and repair what differs.

        True when the graph was changed.
        """
        now, found, self.found = self._clock.boot(), self.found, []
        if found and not graph.orphans(found, seen):
            return await self._add(ledger, seen, found)
        if not found and now < self._audit_at:
            return False
        listing = await self._shards.list()
        self._audit_at = now + (SOON if graph.without_children(seen) else AUDIT) * random.uniform(0.75, 1)
        if listing.identity != seen.identity:
            await self._begin_anew(ledger, seen, listing)
            return True
        await self._forget(ledger, seen, listing)
        self._listed(listing.now)
        return await self._add(ledger, seen, listing.shards)

    async def _audited(self, ledger: Ledger, seen: Graph) -> bool:
        """As `_audit`; a source that cannot be asked keeps nobody from taking what the ledger has."""
        try:
            return await self._audit(ledger, seen)
        except SourceUnavailable as error:
            self._log.warning("stream.not_listed", error=str(error))
            self._audit_at = self._clock.boot() + SOON
            return False

    async def _add(self, ledger: Ledger, seen: Graph, listed: Sequence[Listed]) -> bool:
        new = graph.missing(listed, seen, self._shards.beginning)
        if new:
            self._log.info("shards.found", shards=[shard.name for shard in new])
            with suppress(GraphChanged):  # the store was emptied, or the stream made again: the next look finds out
                await ledger.add(self._mapping, seen.identity or "", new)
        return bool(new)

    async def _forget(self, ledger: Ledger, seen: Graph, listing: Listing) -> None:
        """Remove rows that nobody needs, once listings have agreed for long that their shards are gone."""
        now = self._clock.boot()
        gone = graph.outlived(listing, seen, self._shards.beginning)
        self._unlisted = {shard: self._unlisted.get(shard, now) for shard in gone}
        if old := [shard for shard, since in self._unlisted.items() if now - since >= GONE]:
            await ledger.forget(self._mapping, old)

    async def _begin_anew(self, ledger: Ledger, seen: Graph, listing: Listing) -> None:
        """The stream was deleted and made again: nothing of it was read, so all of it is, from its beginning."""
        rows = graph.first(listing, Start("TRIM_HORIZON"), self._shards)
        self._log.error("stream.recreated", was=seen.identity, identity=listing.identity, shards=len(rows))
        await ledger.replan(self._mapping, seen.generation or "", listing.identity, rows)
