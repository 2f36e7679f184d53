"""Invocations that were accepted and wait to be made: the protocol of a mapping's queue of them, beside its ledger.

It lies in the same store, so that a shard's position and the calls that came of it are one write (`Ledger.commit`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One invocation that was accepted.

    Attributes:
        id: its name among those of its mapping; one that is there already is not put again.
        event: what the handler is given, as JSON text.
        due: not before this, in Unix seconds by the store's clock; 0: from when it is put on.
        group: what it is one of (a schedule's name).
        alone: not while another of its group is taken; and not for the first time while another has been begun, and
            waits to be made again.
    """

    id: str
    event: str
    due: float = 0.0
    group: str = ""
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The right to make a call; equal by mapping and number.

    Attributes:
        call: as it was put, whenever it is due now.
        number: of this taking; unique in its mapping, over a loss of the store too, so that who was overtaken settles
            nothing.
        attempt: how often it was taken and begun, this time included.
        accepted: when it was put, in Unix seconds by the store's clock.
        was_alone: its taking before this began alone in its process, and has expired.
    """

    mapping: str
    call: Call = field(compare=False)
    number: int
    attempt: int = field(compare=False)
    accepted: float = field(compare=False)
    was_alone: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a queue holds: calls that may be taken now, that come due later, and that are taken."""

    due: int = 0
    later: int = 0
    taken: int = 0

    @property
    def total(self) -> int:
        return self.due + self.later + self.taken


class Calls(Protocol):
    """The queue of each mapping of one service, in the store of its `Ledger`; whoever has the one has the other.

    The contract, which `headrace.testing.calls` checks:

    * Every verb is one atomic step in each mapping; it raises LedgerUnavailable and LedgerError as the ledger's do, and
      may be repeated after LedgerUnavailable. What the first call settled or put back is ours no more for the second.
    * **Fenced**: a taking that has expired, or was followed by another, settles and changes nothing.
    * **The store's clock** alone says what is due, and what has expired. A step of the machine's clock ends no taking:
      it is reckoned by a clock that only goes forward, where the store is on this machine.
    * What is taken and not settled may be taken again when it has expired; its attempt counts then.
    """

    async def now(self) -> float:
        """Unix seconds by the store's clock."""
        ...

    async def put(self, mapping: str, calls: Sequence[Call]) -> frozenset[str]:
        """Accept these; the ids of those that were new. A repeat puts again what was settled meanwhile."""
        ...

    async def take(self, mapping: str, owner: str, limit: int, ttl: float) -> Sequence[Taken]:
        """Take at most *limit* calls that are due, those due first first, for *ttl* seconds; none of a paused mapping.

        Those due at one moment come in the order of their ids, and what has expired comes where it stood.
        Of calls that are `alone`, and of their group, one is taken at a time, the earliest due first. A repeat of an
        answer that was lost takes others: those of the lost answer expire.
        """
        ...

    async def hold(self, taken: Sequence[Taken], ttl: float) -> frozenset[Taken]:
        """Hold all these *ttl* longer, in one call for each mapping; those that are ours no more."""
        ...

    async def begin_alone(self, taken: Taken) -> bool:
        """It begins alone in its process: if its taking expires, that was its doing. False where it is ours no more."""
        ...

    async def settle(self, taken: Sequence[Taken], notes: Mapping[str, str] | None = None) -> frozenset[Taken]:
        """These are done with: remove them; those that were ours no more, of which nothing was changed.

        *notes* are for people, by id: each is kept as the last of its call's group.
        """
        ...

    async def put_back(self, taken: Sequence[Taken], delay: float, *, begun: bool) -> frozenset[Taken]:
        """These may be taken again after *delay* seconds; those that were ours no more.

        *begun* false: it was never at the handler, and its attempt does not count.
        """
        ...

    async def waiting(self, mapping: str) -> Waiting:
        """How much there is."""
        ...

    async def unfinished(self, mapping: str, groups: Sequence[str]) -> Mapping[str, int]:
        """How many calls of each of these groups are not settled; groups without any are left out."""
        ...

    async def unsettled(self, mapping: str, ids: Sequence[str]) -> frozenset[str]:
        """Those of these calls that were put and are not settled."""
        ...

    async def notes(self, mapping: str) -> Mapping[str, str]:
        """The last note of each group."""
        ...
