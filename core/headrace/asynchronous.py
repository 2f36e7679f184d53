"""A function's queue of asynchronous invocations as a source: what was accepted is carried to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from headrace.calls import Call, Taken
from headrace.errors import LedgerError
from headrace.invocations import TRAITS
from headrace.ledger import Ledger
from headrace.masking import WHOLE
from headrace.model import Condition, Event, Record
from headrace.plugins import Connector, Opening, Probe
from headrace.queued import Queued
from headrace.settings import Settings
from headrace.sharing import PAUSED

LIMIT: Final = 1024 * 1024
"""Bytes of an event (lambda-semantics 8)."""

DEFAULTS: Final[Mapping[str, object]] = {
    "batch_size": 1,
    "maximum_batching_window_in_seconds": 0,
    "maximum_retry_attempts": 2,
    "maximum_record_age_in_seconds": 21600,
    "retry_backoff": {"initial": 60, "maximum": 120},
}
"""Lambda's (lambda-semantics 8): two retries, a minute and then two minutes later, within six hours."""


LOOK: Final = 5.0
"""Seconds between two looks at whether the queue is paused."""


def queue_of(function: str) -> str:
    """What the queue of *function* is called where mappings are: no mapping has such a name."""
    return f"function:{function}"


def packed(id: str, event: object, *, hops: int = 0) -> Call:  # noqa: A002 - the call's word
    """The invocation *id* with *event*, whose content has come through *hops* functions.

    An *id* that is a UUID is the request id of every attempt.

    Raises:
        ValueError: the event is larger than Lambda takes, or no JSON.
    """
    try:
        text = json.dumps(event, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise ValueError("the event has NaN or Infinity in it, which are not JSON; write null, or a text") from None
    size = len(text.encode(errors="surrogatepass"))
    if size > LIMIT:
        raise ValueError(
            f"the event has {size} bytes, above the {LIMIT} of an asynchronous invocation; make it smaller"
        )
    return Call(id=id, event=json.dumps({"event": event, "hops": hops}))


def repeatable(name: str) -> str:
    """A request id that is the same whenever *name* is accepted again."""
    return str(uuid5(NAMESPACE_URL, f"headrace:{name}"))


class FunctionQueue(Queued):
    """Every copy of the service takes from it what there is a place for."""

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening, self._watch)
        self.condition = Condition("polling", since=opening.clock.wall())

    def render(self, records: Sequence[Record]) -> Event:
        """The event as it was accepted."""
        (record,) = records
        event: Event = _unpacked(record)["event"]
        return event

    async def idle(self) -> bool:
        try:
            return self._lane.idle and not (await (await self._leases.ledger()).waiting(self._opening.mapping)).total
        except LedgerError:
            return False

    async def close(self) -> None: ...

    async def _watch(self) -> None:
        """See whether an operator has paused it: the store gives nothing out then."""
        while True:
            with suppress(LedgerError):
                paused = (await (await self._leases.ledger()).rows(self._opening.mapping)).paused
                if paused is not (self.condition.state == PAUSED):
                    state, reason = (PAUSED, "headrace resume goes on") if paused else ("polling", "")
                    self.condition = Condition(state, reason, self._opening.clock.wall())
            await asyncio.sleep(LOOK)


def _unpacked(record: Record) -> dict[str, Any]:
    taken: Taken = record.token
    kept: dict[str, Any] = json.loads(taken.call.event)
    return kept


def _hops(records: Sequence[Record]) -> int:
    return max([int(_unpacked(record)["hops"]) for record in records])


class NoOptions(Settings):
    """There is nothing to be said of it: `event_invoke_config` of the function says it all."""


async def _remembered(opening: Opening, ledger: Ledger) -> Sequence[Mapping[str, Any]]:
    """What the queue holds, for `headrace status`."""
    holds = await ledger.waiting(opening.mapping)
    return [{"due": holds.due, "later": holds.later, "being made": holds.taken}]


async def _probe(_: Opening) -> Probe:
    return Probe()


invocations = Connector(
    type="invocations",
    summary="Asynchronous invocations of one function, in the order in which they are due.",
    options=NoOptions,
    traits=TRAITS,
    open=FunctionQueue,
    probe=_probe,
    defaults=DEFAULTS,
    unseekable="a queue of invocations has no positions; to invoke the function again, use headrace invoke --async",
    in_ledger=True,
    remembers=_remembered,
    asynchronous=True,
    addresses=lambda opening: [opening.mapping],
    hops=_hops,
    masking=WHOLE,
)
