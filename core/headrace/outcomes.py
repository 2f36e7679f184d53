"""What became of records whose destination is away, kept beyond the process: the protocol, beside a mapping's ledger.

It lies in the ledger's store. Whoever has the records next tells the same of them, and does not run them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOutcome:
    """What records came to together.

    Attributes:
        name: its own among those of its lane.
        records: what names each of the records that it is of.
        text: what is to be told of them; no store reads it.
    """

    name: str
    records: Sequence[str]
    text: str


class Outcomes(Protocol):
    """What is kept of each mapping of one service, by lane.

    The contract, which `headrace.testing.outcomes` checks:

    * Every verb is one atomic step; it raises LedgerUnavailable and LedgerError as the ledger's do, and may be
      repeated.
    * A record has one outcome, the last that was kept. One that no record has any more is gone.
    * **Fenced**: where the lane is a shard of the ledger's graph, what comes under another epoch than the row's is
      not kept. A seek forgets what is kept of its shards in the same write, and `replan` all that is kept of the
      mapping.
    * What is kept has an end, by the store's wall clock, and is as if it had never been then. Every `keep` removes some
      of that.
    """

    async def keep(self, mapping: str, lane: str, outcome: KeptOutcome, seconds: float, *, epoch: int = 0) -> None:
        """Keep *outcome* for *seconds*, in the place of one of its name, and of what its records had."""
        ...

    async def kept(self, mapping: str, lane: str, records: Sequence[str] | None) -> Sequence[KeptOutcome]:
        """The outcomes of these records, each once and with all records that still have it; None: of the lane."""
        ...

    async def drop(self, mapping: str, lane: str, records: Sequence[str]) -> None:
        """Of these nothing need be kept any more."""
        ...
