"""Lanes whose records have the first letter of their id as their key, over one store that can be away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from headrace.errors import LedgerUnavailable
from headrace.memory import MemoryLedger
from headrace.model import Lane, Record
from headrace.once import Idempotency, Once
from headrace.testing import FakeClock
from headrace.verdicts import State
from support.engine import Lines

LASTS, EXPIRES = 5.0, 3600.0


def first_letter(record: Record) -> str | None:
    """`-` is no key, and `!` is a fault of the expression."""
    if record.id[0] == "!":
        raise TypeError("what a function cannot take")
    return None if record.id[0] == "-" else record.id[0]


class Store:
    """A `MemoryLedger` that refuses while it is `away`; `verbs` are those that were carried out.

    `answers_after` has the seconds that the next answers take.
    """

    def __init__(self) -> None:
        self.ledger, self.away = MemoryLedger(FakeClock()), False
        self.verbs: list[tuple[str, str]] = []
        self.answers_after: list[float] = []

    async def opened(self) -> Any:
        return self

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        async def asked(mapping: str, keys: Sequence[str], *arguments: Any) -> Any:
            await asyncio.sleep(0.001)
            if self.away:
                raise LedgerUnavailable("it is away", written=False)
            self.verbs.append((verb, "".join(keys)))
            answer = await getattr(self.ledger, verb)(mapping, keys, *arguments)
            await asyncio.sleep(self.answers_after.pop(0) if self.answers_after else 0)
            return answer

        return asked

    async def state(self, key: str) -> State:
        """Asked as another would, who lets go of it again."""
        found = (await self.ledger.begin("m", [key], "who looks", 1.0))[key].state
        await self.ledger.let_go("m", [key], "who looks")
        return found


class Shop:
    """One process with a mapping `m`; several at one store are several processes."""

    def __init__(self, store: Store | None = None, owner: str = "w") -> None:
        self.store, self.lines = store or Store(), Lines()
        self.shared = Idempotency(
            mapping="m",
            keyer=lambda _: first_letter,
            verdicts=self.store.opened,
            owner=owner,
            lasts=LASTS,
            expires_after=EXPIRES,
            clock=FakeClock(),
            log=self.lines,
        )

    def once(self, lane: Lane, stopping: asyncio.Event) -> Once:
        return Once(self.shared, first_letter, lane.name, lane.traits.order, stopping)
