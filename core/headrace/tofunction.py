"""Another function of the same config as a destination: what it is told becomes an asynchronous invocation of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pydantic import Field

from headrace.asynchronous import packed, queue_of, repeatable
from headrace.calls import Call
from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace.errors import Fault, LedgerError
from headrace.plugins import DestinationKind, Opening, Probe
from headrace.queued import queue_key
from headrace.settings import Settings


class FunctionOptions(Settings):
    """`destination: {type: function, …}`."""

    function: str = Field(min_length=1, description="One of the functions of this config; it gets the record as event.")


class FunctionDestination:
    """Confirmed is what the store has accepted. One that is sent again is accepted once, while it waits there."""

    def __init__(self, opening: Opening, options: FunctionOptions) -> None:
        self.name = f"function {options.function}"
        self._opening, self._queue = opening, queue_of(options.function)

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        made = [self._call(message) for message in messages]
        calls = [one for one in made if isinstance(one, Call)]
        accepted = await self._put(calls) if calls else CONFIRMED
        return [accepted if isinstance(one, Call) else one for one in made]

    def _call(self, message: Message) -> Call | Reply:
        name = f"{self._opening.service}/{self._opening.mapping}:{message.id}"
        try:
            return packed(repeatable(name), json.loads(message.body), hops=message.hops)
        except ValueError as error:
            return Reply(Said.REFUSED, str(error))

    async def _put(self, calls: Sequence[Call]) -> Reply:
        leases = self._opening.leases
        if leases is None:
            return Reply(Said.FAILED, "there is no store")
        try:
            await (await leases.ledger()).put(self._queue, calls)
        except LedgerError as error:
            return Reply(Said.FAILED, str(error))
        if wake := self._opening.shared.get(queue_key(self._queue)):
            wake()
        return CONFIRMED

    async def close(self) -> None: ...


def _check(opening: Opening, options: FunctionOptions) -> Iterator[Fault]:
    if options.function not in opening.functions:
        known = f"known are {', '.join(sorted(opening.functions))}" if opening.functions else "a config file has them"
        yield Fault("function", f"there is no such function; {known}")


async def _probe(_opening: Opening, _options: FunctionOptions) -> Probe:
    return Probe()


function = DestinationKind(
    type="function",
    summary="Another function of this config, invoked asynchronously with the record as its event.",
    options=FunctionOptions,
    open=FunctionDestination,
    probe=_probe,
    check=_check,
    addresses=lambda _, options: [queue_of(options.function)],
)
