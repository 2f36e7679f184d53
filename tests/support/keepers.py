"""Processes of one mapping `m`, one after another, at a store that can be away; each has a rig with a destination."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from headrace.errors import LedgerUnavailable
from headrace.keeper import Keeper
from headrace.keeping import Keeping
from headrace.memory import MemoryLedger
from headrace.model import Lane
from headrace.observe import Log
from headrace.outcomes import KeptOutcome
from headrace.testing import FakeClock
from support.engine import Lines, Rig


class Store:
    """A `MemoryLedger` that refuses while it is `away`; `verbs` are those that were asked for, `told` what to keep."""

    def __init__(self) -> None:
        self.ledger, self.away = MemoryLedger(FakeClock()), False
        self.verbs: list[str] = []
        self.told: list[str] = []

    async def opened(self) -> Any:
        return self

    def __getattr__(self, verb: str) -> Callable[..., Awaitable[Any]]:
        async def asked(*arguments: Any, **more: Any) -> Any:
            self.verbs.append(verb)
            self.told += [f"{one!r}" for one in arguments if isinstance(one, KeptOutcome)]
            await asyncio.sleep(0.001)
            if self.away:
                raise LedgerUnavailable("it is away", written=False)
            return await getattr(self.ledger, verb)(*arguments, **more)

        return asked

    @property
    def texts(self) -> list[str]:
        """All that is kept of the mapping."""
        return [outcome.text for outcome, _ in self.ledger._rows._outcomes["m"].outcomes.values()]


class Process:
    """Makes the `Keeping` of a lane, for a `Rig`; `version` is its handler's."""

    def __init__(self, store: Store, version: str = "v1", clean: Any = lambda _, value: value) -> None:
        self.lines, self.version, self.clean = Lines(), version, clean
        self.keeper = Keeper("m", store.opened, FakeClock(), self.lines)

    def keeping(self, lane: Lane, log: Log) -> Keeping:
        return Keeping(
            keeper=self.keeper, lane=lane, version=self.version, clean=self.clean, clock=FakeClock(), log=log
        )


async def killed(rig: Rig, seconds: float) -> None:
    """Run it for a while, and end it without a word."""
    running = asyncio.ensure_future(rig.pipeline.run())
    await asyncio.sleep(seconds)
    if hasattr(rig.lane, "lose"):
        rig.lane.lose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
