"""Workers over one stream and one ledger, on virtual time: started, stopped, killed, frozen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

from headrace.clock import Clock
from headrace.errors import LedgerUnavailable
from headrace.functions import Function
from headrace.leases import Leases
from headrace.ledger import Graph, Ledger
from headrace.mapping import Mapping
from headrace.memory import MemoryLedger
from headrace.model import Order, Traits
from headrace.plugins import Connector, Destined, Opening, Probe
from headrace.settings import MappingSettings, Settings
from headrace.shards import Shards
from headrace.testing import FakeClock
from headrace.testing.shards import MemoryStream
from headrace.witness import Witness
from support.engine import Lines
from support.virtualcopy import VirtualCopy

Behave = Callable[[list[str], Any], Awaitable[Any]]
Tell = Callable[["Worker", list[str], Any], Awaitable[Any]]
"""The same with the worker, and the whole event."""


async def _probe(_: Opening) -> Probe:
    return Probe()


class Told(Lines):
    exception = Lines.info


class Worker(VirtualCopy):
    """One copy of a service with one mapping, `m`."""

    def __init__(
        self,
        fleet: Fleet,
        name: str,
        *,
        ledger: Ledger | None = None,
        behave: Behave | None = None,
        tell: Tell | None = None,
        on_failure: Destined | None = None,
        witness: Witness | None = None,
        **settings: Any,
    ) -> None:
        self.fleet, self.name, self.told = fleet, name, Told()
        self.leases = Leases(
            lambda: _value(ledger or fleet.ledger),
            ttl=fleet.ttl,
            owner=name,
            closes=False,
            witness=witness,
            clock=fleet.clock,
            logger=self.told,
        )
        connector = Connector(
            type="stream",
            summary="",
            options=Settings,
            traits=Traits(Order.SEQUENCE, redelivers=False),
            shards=fleet.shards,
            probe=_probe,
        )
        given = {"batch_size": 5, "starting_position": "TRIM_HORIZON", "capacity": 50, **fleet.settings, **settings}
        opening = Opening(
            service="s",
            mapping="m",
            settings=MappingSettings(**given),
            options=fleet.options,
            sections={},
            function_timeout=60,
            log=self.told,
            on_failure=on_failure,
            clock=fleet.clock,
            leases=self.leases,
            commit_interval=0.5,
        )
        self._behave, self._tell = behave, tell
        self.mapping = Mapping(connector, opening, Function.of("f", self._handle, timeout=600, clock=fleet.clock))

    async def _handle(self, event: Any, context: Any) -> Any:
        names = [self.fleet.name(record) for record in event["Records"]]
        self.fleet.begun += [(self.name, context.headrace.lane, name) for name in names]
        answer = await self._behave(names, context) if self._behave else None
        if self._tell is not None:
            answer = await self._tell(self, names, event)
        self.fleet.done += [(self.name, context.headrace.lane, name) for name in names]
        return answer

    @property
    def shards(self) -> set[str]:
        return set(self.leases.holding("m"))


class Store(MemoryLedger):
    """The ledger that a fleet shares, `Watched`; `away` refuses every call, and each takes `delay` seconds."""

    away = False
    delay = 0.01

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._watching: list[Callable[[], object]] = []

    async def watch(self, changed: Callable[[], object]) -> None:
        self._watching.append(changed)
        await asyncio.Event().wait()

    async def _run(self, work: Any) -> Any:
        await asyncio.sleep(self.delay)
        if self.away:
            raise LedgerUnavailable("the store is away", written=False)
        return await super()._run(work)

    def flush(self) -> None:
        self._rows = type(self._rows)()

    def copy(self) -> Any:
        """As a replica has it that lags behind."""
        return deepcopy(self._rows)

    def fail_over(self, copy: Any, *, told: bool = True) -> None:
        """What was written since *copy* was made is lost; who uses the store is *told* that it is another."""
        self._rows = copy
        for changed in self._watching if told else ():
            changed()


async def _value(ledger: Ledger) -> Ledger:
    return ledger


class Fleet:
    """`begun` and `done` are (worker, shard, record) in the order in which it happened.

    Subclasses bring a stream of another kind: its source's `options`, `shards` and `name`.
    """

    options: Any = Settings()

    def __init__(self, shards: int = 4, *, ttl: float = 10.0, **settings: Any) -> None:
        self.clock = FakeClock()  # of the loop that runs, virtual or not
        self.stream = MemoryStream(shards, clock=self.clock)
        self.ledger = Store(self.clock)
        self.ttl, self.settings = ttl, settings
        self.begun: list[tuple[str, str, str]] = []
        self.done: list[tuple[str, str, str]] = []

    def shards(self, _: Opening) -> Shards:
        return self.stream

    def name(self, record: Any) -> str:
        """The name of a record, by what the handler gets."""
        return str(record["id"])

    def worker(self, name: str, **more: Any) -> Worker:
        return Worker(self, name, **more)

    async def graph(self) -> Graph:
        found: Graph = await self.ledger.rows("m")
        return found

    async def until(self, true: Callable[[], bool], seconds: float = 300) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.1)

    def names(self) -> list[str]:
        return [name for _, _, name in self.done]
