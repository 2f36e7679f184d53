"""What is kept of records over any store that can run Python inside its transaction: look at the row, write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from headrace.ledger import Row
from headrace.outcomes import KeptOutcome

T = TypeVar("T")

FORGOTTEN: Final = 20
"""Outcomes whose end has come that a `keep` removes at most: more go than come."""


class OutcomeRows(Protocol):
    """What a transaction can reach of the outcomes; those whose end has come are not given."""

    def row(self, mapping: str, shard: str) -> Row | None: ...

    def put_outcome(self, mapping: str, lane: str, outcome: KeptOutcome, seconds: float) -> None:
        """As `Outcomes.keep`."""
        ...

    def outcomes(self, mapping: str, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome]: ...

    def drop_outcomes(self, mapping: str, lane: str, records: Sequence[str]) -> None:
        """As `Outcomes.drop`."""
        ...

    def clear_outcomes(self, mapping: str, lane: str | None = None) -> None:
        """Remove all of the lane; None: all of the mapping."""
        ...

    def forget_outcomes(self, mapping: str, limit: int) -> None:
        """Remove at most so many whose end has come."""
        ...


class StoredOutcomes(ABC):
    """`Outcomes` for whose verbs a store has only to say how a transaction is run."""

    @abstractmethod
    async def _run(self, work: Callable[[OutcomeRows], T]) -> T:
        """Run *work* alone and whole: what it wrote is durable when this returns, and gone when it raises."""

    async def _look(self, work: Callable[[OutcomeRows], T]) -> T:
        """Run *work*, which only reads: a store that can do that for less does so here."""
        return await self._run(work)

    async def keep(self, mapping: str, lane: str, outcome: KeptOutcome, seconds: float, *, epoch: int = 0) -> None:
        def work(rows: OutcomeRows) -> None:
            row = rows.row(mapping, lane)
            if row is None or row.epoch == epoch:
                rows.forget_outcomes(mapping, FORGOTTEN)
                rows.put_outcome(mapping, lane, outcome, seconds)

        await self._run(work)

    async def kept(self, mapping: str, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome]:
        return await self._look(lambda rows: rows.outcomes(mapping, lane, records))

    async def drop(self, mapping: str, lane: str, records: Sequence[str]) -> None:
        await self._run(lambda rows: rows.drop_outcomes(mapping, lane, records))
