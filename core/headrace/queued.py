"""What every source has whose one lane is a mapping's queue of calls: the lane, and what an invocation does not say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from headrace.invocations import InvocationLane
from headrace.model import Origin, Record
from headrace.plugins import Opening

LANE: Final = "invocations"


def queue_key(mapping: str) -> tuple[str, str]:
    """Under which a queue's lane is told, by others of this process, that something was put (`Opening.shared`)."""
    return "queue of calls", mapping


class Queued:
    """The part of a `Source` that is the same for each; *beside* is what else it does while its lane runs."""

    def __init__(self, opening: Opening, beside: Callable[[], Awaitable[None]]) -> None:
        if opening.leases is None:
            raise ValueError("a queue of calls needs the store")
        self._opening, self._leases = opening, opening.leases
        self._lane = InvocationLane(
            LANE,
            opening.mapping,
            self._leases.ledger,
            owner=self._leases.owner,
            ttl=self._leases.ttl,
            settled=lambda: self._leases.settled,
            beside=beside,
            tally=opening.tally(LANE),
            clock=opening.clock,
            log=opening.log,
        )
        self._leases.told_of_doubt(self._lane)
        opening.shared[queue_key(opening.mapping)] = self._lane.wake

    async def lanes(self) -> AsyncIterator[InvocationLane]:
        yield self._lane

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:  # noqa: ARG002 - as the protocol has it
        """Nothing: the record of an invocation has the event, and does not say where it came from."""
        return Origin(block="", info={})

    def identify(self, identifier: object) -> str | None:  # noqa: ARG002 - as the protocol has it
        """An answer names no part of an event: there is one call in it."""
        return None

    async def lag(self) -> int | None:
        """Calls that may be made now, and wait for a place."""
        return (await (await self._leases.ledger()).waiting(self._opening.mapping)).due

    async def dead_lettered(self) -> int | None:
        return None
