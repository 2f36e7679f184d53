"""What is on its way out of the engine: what an attempt came to, and what a destination is told of records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias
from uuid import uuid4

from headrace.destination import Reply
from headrace.model import Answer, Record
from headrace.policy import FailurePolicy
from headrace.verdict import Verdict

NAMED = 10
"""Ids named in one line of log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt: what the function said, and what it means."""

    answer: Answer
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Records of which a destination is told, and why, in the same words at every try: given up, or succeeded.

    Attributes:
        reason: what they were given up for; `SUCCESS` of those that succeeded.
        attempts: made of these records together; where they expired, the one that was not made counts too.
        outcome: the last call that had these records, if there was one.
        request_id: that call's, else a new one.
        at: when they were given up, or succeeded, in Unix seconds.
        taken: who has confirmed which of them already, where several are told: the outlet's label, and the record by
            identity.
        name: of this giving up, or success.
        version: the handler's, where another process called it; empty: this one's.
        shift: by how much their numbers were higher when they were sent first.
    """

    lane: str
    records: Sequence[Record]
    reason: str
    attempts: int
    outcome: Outcome | None
    request_id: str
    at: float
    taken: set[tuple[object, int]] = field(default_factory=set, compare=False, repr=False)
    name: str = field(default_factory=lambda: str(uuid4()), compare=False, repr=False)
    version: str = ""
    shift: int = 0


Sender: TypeAlias = Callable[[Outgoing], Awaitable[Sequence[Reply] | None]]
"""Tells a destination of records, once; its reply for each, or None when there is no destination."""


class Left(NamedTuple):
    """Records that are to be sent again, and why; *refused*: none of them will be taken before somebody mends it."""

    records: Sequence[Record] = ()
    why: str = ""
    refused: bool = False


async def no_destination(_: Outgoing) -> None:
    """The sender of a mapping without a failure destination."""


class Keeps(Protocol):
    """Keeps what cannot be told now beyond the process, so that nobody runs it again."""

    async def part(self, records: Sequence[Record], policy: FailurePolicy) -> Sequence[Sequence[Record] | Outgoing]:
        """*records* as what is to be tried, and what by *policy* is only to be told of, one after another."""
        ...

    async def keep(self, gone: Outgoing) -> None:
        """*gone* was not taken at once."""
        ...

    async def keep_last(self, records: Sequence[Record], attempts: int, outcome: Outcome) -> None:
        """These are to be tried again, unless they are too old by then: they ended so last."""
        ...

    async def forget(self, records: Sequence[Record]) -> None:
        """These are to run again."""
        ...

    def over(self, records: Sequence[Record]) -> None:
        """These are settled: nothing need be kept of them."""
        ...

    def let_go(self, records: Sequence[Record]) -> None:
        """The engine holds these no more."""
        ...

    def close(self) -> None:
        """The lane was let go."""
        ...


def ids_of(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records[:NAMED]]
