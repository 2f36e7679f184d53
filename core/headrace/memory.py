"""The ledger of one process: kept in memory, gone with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from headrace.clock import SYSTEM, Clock
from headrace.ledger import Graph, LedgerOpening, Row
from headrace.memorycalls import MemoryCallRows
from headrace.memoryoutcomes import MemoryOutcomeRows
from headrace.memoryverdicts import MemoryVerdictRows
from headrace.stored import Rows, StoredLedger

T = TypeVar("T")


class MemoryLedger(StoredLedger):
    """Several workers of one process may share it. Positions are lost when the process ends."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock, self._rows = clock, _MemoryRows()

    async def _run(self, work: Callable[[Rows], T]) -> T:
        """No verb writes before it knows that it may, so there is nothing to undo."""
        self._rows.now, self._rows.wall = self._clock.boot(), self._clock.wall()
        return work(self._rows)

    async def close(self) -> None:
        pass


class _MemoryRows(MemoryCallRows, MemoryVerdictRows, MemoryOutcomeRows):
    """`now` is when the verb began: within it no time passes, or every write would stretch a lease a little."""

    def __init__(self) -> None:
        MemoryCallRows.__init__(self)
        MemoryVerdictRows.__init__(self)
        MemoryOutcomeRows.__init__(self)
        self._heads: dict[str, Graph] = {}
        self._kept: dict[str, dict[str, tuple[Row, float, float]]] = {}

    def head(self, mapping: str) -> Graph:
        return self._heads.get(mapping, Graph())

    def set_head(self, mapping: str, head: Graph) -> None:
        self._heads[mapping] = head

    def row(self, mapping: str, shard: str) -> Row | None:
        kept = self._kept.get(mapping, {}).get(shard)
        return kept and self._now(*kept)

    def rows(self, mapping: str) -> Iterable[Row]:
        return [self._now(*kept) for kept in self._kept.get(mapping, {}).values()]

    def put(self, mapping: str, row: Row) -> None:
        self._kept.setdefault(mapping, {})[row.shard] = row, self.now + row.left, self.now - (row.idle or 0.0)

    def drop(self, mapping: str, shard: str) -> None:
        del self._kept[mapping][shard]

    def _now(self, row: Row, expires: float, since: float) -> Row:
        return replace(row, left=expires - self.now, idle=self.now - since)


async def open_memory(opening: LedgerOpening) -> MemoryLedger:
    """`memory:`."""
    return MemoryLedger(opening.clock)
