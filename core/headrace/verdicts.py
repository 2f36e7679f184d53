"""What became of records by their key: who runs one now, and which are done. The protocol, beside a mapping's ledger.

It lies in the ledger's store, so whoever reaches the one reaches the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """How it stands with a key that was to be begun."""

    BEGUN = "begun"
    HELD = "held"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Standing:
    """BEGUN: it is ours to run. HELD: it is run elsewhere. DONE: it was run.

    `left` is the seconds until our hold ends, theirs does, or the verdict is forgotten.
    """

    state: State
    left: float


class Verdicts(Protocol):
    """The verdicts of each mapping of one service.

    The contract, which `headrace.testing.verdicts` checks:

    * Every verb is one atomic step for all its keys; it raises LedgerUnavailable and LedgerError as the ledger's do,
      and may be repeated after LedgerUnavailable.
    * A **holder** is a text that no two calls of `begin` share, but for a repeat, and one that prolongs a hold.
    * **Fenced**: a holder whose key another holds, or has done, changes nothing.
    * **The store's clock** alone says what has expired, and what has expired is as if it had never been. Where the
      store is on this machine a hold is reckoned by a clock that only goes forward, so that a step of the machine's
      clock ends none; how long a verdict is kept goes by the wall clock there.
    * Nothing that has expired is kept for ever: every `begin` removes some of it.
    """

    async def begin(self, mapping: str, keys: Sequence[str], holder: str, seconds: float) -> Mapping[str, Standing]:
        """Take those of *keys* that nobody holds and that are not done, and how it stands with each.

        What *holder* has already it has for *seconds* from now.
        """
        ...

    async def finish(self, mapping: str, keys: Sequence[str], holder: str, expires_after: float) -> frozenset[str]:
        """These were run, and are done for *expires_after* seconds; those that are another's by now.

        A hold that has expired is as good as any while nobody else has the key: it *was* run.
        """
        ...

    async def let_go(self, mapping: str, keys: Sequence[str], holder: str) -> None:
        """These were not run to their end: others may at once. What is another's, or done, stays as it is."""
        ...
