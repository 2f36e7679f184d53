"""Claim checks: what is too large for its destination is kept elsewhere, whole, and a ticket for it goes instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID, uuid5

from headrace.destination import Message, Reply
from headrace.errors import Fault
from headrace.opening import Opening, Probe
from headrace.right import Right

TICKET: Final = "claimCheck"
"""The key that a record has in place of its payload."""

Claim: TypeAlias = Mapping[str, str]
"""Where a record is kept: its `type`, and what that kind finds it by. Whoever has it may look for it there."""


class ClaimStore(Protocol):
    """One place that keeps records, for as long as its mapping runs.

    A kind's duties:

    * it opens without its server, and connects when something is to be kept;
    * `CONFIRMED` is said only of what the server (or the disk) has acknowledged; each call is bounded by `PATIENCE`;
    * a message of an id that is there already takes its place: sent again, it is one object.
    """

    @property
    def name(self) -> str:
        """Its kind and place, for people: no secrets."""
        ...

    def claim(self, message: Message) -> Claim:
        """Where `keep` puts it."""
        ...

    async def keep(self, message: Message) -> Reply:
        """Keep the body of *message*. Whatever it raises counts as `FAILED`."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """How a kind of destination keeps records for others. Each function is told the mapping and the kind's options.

    Attributes:
        open: the store; asks nobody yet.
        fetch: what a claim stands for, from the place of these options; raises ValueError where the claim is of another
            place, for a record is no authority over what is read, and DestinationUnavailable where it cannot
            be had.
        probe: asks the server, as that of the kind.
        check: what is wrong without asking anybody, as that of the kind.
        apart: what only it may be: a destination that has it among its `addresses` would be in its way; empty: nothing.
        rights: what it must be allowed to do to keep them, and to fetch them (`Need.REPLAY`), as that of the kind.
    """

    open: Callable[[Opening, Any], ClaimStore]
    fetch: Callable[[Opening, Any, Claim], Awaitable[bytes]]
    probe: Callable[[Opening, Any], Awaitable[Probe]]
    check: Callable[[Opening, Any], Iterable[Fault]] = lambda *_: ()
    apart: Callable[[Opening, Any], str] = lambda *_: ""
    rights: Callable[[Opening, Any], Iterable[Right]] = lambda *_: ()


def object_name(mapping: UUID, message: Message) -> str:
    """What the object of *message* is called: of its id, so that a repeat overwrites itself."""
    return f"{uuid5(mapping, message.id)}.json"


def claim_in(record: Mapping[str, Any]) -> Claim | None:
    """The ticket that *record* has; None where its payload is with it, or nowhere."""
    found = record.get(TICKET)
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        return None
    return found if "type" in found else None
