"""What the parts of the suite of calls share: a call, the fenced verbs, and steps that several tests take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from headrace.calls import Call, Calls, Taken
from headrace.ledger import Ledger
from headrace.testing.ledger_steps import LONG, LedgerSteps


async def _begun_alone(calls: Calls, taken: Sequence[Taken]) -> frozenset[Taken]:
    return frozenset([one for one in taken if not await calls.begin_alone(one)])


FENCED: dict[str, Callable[[Calls, Sequence[Taken]], Awaitable[frozenset[Taken]]]] = {
    "hold": lambda calls, taken: calls.hold(taken, LONG),
    "settle": lambda calls, taken: calls.settle(taken, {one.call.id: "theirs" for one in taken}),
    "begin_alone": _begun_alone,
    "put_back": lambda calls, taken: calls.put_back(taken, 0.0, begun=False),
}
"""The verbs that need a taking."""


def call(id_: str, **fields: object) -> Call:
    return Call(id=id_, event=f'{{"of": "{id_}"}}', **fields)  # type: ignore[arg-type]


def ids(taken: Sequence[Taken]) -> list[str]:
    return [one.call.id for one in taken]


class CallsSteps(LedgerSteps):
    """Steps of tests on the queue of a mapping named `orders`."""

    async def take(
        self, ledger: Ledger, limit: int = 100, *, owner: str = "w", ttl: float = LONG, mapping: str = "orders"
    ) -> list[Taken]:
        return list(await ledger.take(mapping, owner, limit, ttl))

    async def one(self, ledger: Ledger, owner: str = "w", ttl: float = LONG) -> Taken:
        (taken,) = await self.take(ledger, 1, owner=owner, ttl=ttl)
        return taken
