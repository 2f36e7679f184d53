"""Copies of a service with schedules over one store, on virtual time: started, stopped, killed, their clocks set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from headrace.functions import Function
from headrace.leases import Leases
from headrace.mapping import Mapping
from headrace.plugins import Destined, Opening
from headrace.settings import MappingSettings
from headrace.testing import FakeClock
from headrace_connectors.schedule.options import ScheduleOptions
from headrace_connectors.schedule.registration import schedule
from headrace_connectors.schedule.remembered import Remembered, read
from support.fleet import Store, Told
from support.virtualcopy import VirtualCopy

Behave = Callable[[Any, Any], Awaitable[Any]]

SETTINGS: dict[str, Any] = {
    "batch_size": 1,
    "maximum_retry_attempts": 2,
    "maximum_record_age_in_seconds": 21600,
    "retry_backoff": {"initial": 60, "maximum": 300},
}


class Copy(VirtualCopy):
    """One copy, with one mapping `m`. `clock` may be set ahead by *ahead* seconds of the others'."""

    def __init__(self, clocks: Clocks, name: str, source: dict[str, Any], *, ahead: float = 0.0, **more: Any) -> None:
        self.clocks, self.name, self.told = clocks, name, Told()
        self.clock = clocks.clock if not ahead else _Ahead(clocks.clock, ahead)
        on_failure: Destined | None = more.pop("on_failure", None)
        self.leases = Leases(self._ledger, ttl=clocks.ttl, owner=name, closes=False, clock=self.clock, logger=self.told)
        self.opening = Opening(
            service="s",
            mapping="m",
            settings=MappingSettings(**{**SETTINGS, **more}),
            options=ScheduleOptions(**source),
            sections={},
            function_timeout=600,
            log=self.told,
            on_failure=on_failure,
            clock=self.clock,
            leases=self.leases,
        )
        function = Function.of("f", self._handle, timeout=600, clock=self.clock)
        self.mapping = Mapping(replace(schedule), self.opening, function)

    async def _ledger(self) -> Any:
        return self.clocks.store

    async def _handle(self, event: Any, context: Any) -> Any:
        self.clocks.begun.append((self.name, event, context.aws_request_id, context.headrace.attempt))
        self.clocks.at.append(self.clocks.clock.wall())
        if self.clocks.behave is not None:
            await self.clocks.behave(event, context)
        self.clocks.done.append((self.name, event))


class _Ahead:
    """A machine whose time was set wrongly; how fast it goes is right."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock, self.seconds = clock, seconds

    def boot(self) -> float:
        return self._clock.boot()

    def wall(self) -> float:
        return self._clock.wall() + self.seconds


class Clocks:
    """`begun` are (copy, event, request id, attempt), `done` (copy, event); `at` is when each was begun."""

    def __init__(self, *, begin: str = "2026-01-01T00:00:00Z", ttl: float = 10.0) -> None:
        self.clock = FakeClock()
        self.set(begin)
        self.store = Store(self.clock)
        self.ttl = ttl
        self.behave: Behave | None = None
        self.begun: list[tuple[str, Any, str, int]] = []
        self.done: list[tuple[str, Any]] = []
        self.at: list[float] = []

    def set(self, moment: str) -> None:
        """Have every clock show it, though no time passes."""
        self.clock.step(datetime.fromisoformat(moment).timestamp() - self.clock.wall())

    @property
    def now(self) -> str:
        return datetime.fromtimestamp(self.clock.wall(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def copy(self, name: str, source: dict[str, Any], **more: Any) -> Copy:
        return Copy(self, name, source, **more)

    @property
    def times(self) -> list[str]:
        """Planned instants of what was begun."""
        return [event["time"] for _, event, _, _ in self.begun]

    @property
    def repeats(self) -> dict[str, int]:
        return {time: count for time, count in Counter(self.times).items() if count > 1}

    async def remembered(self) -> dict[str, Remembered]:
        graph = await self.store.rows("m")
        return {name: one for row in graph.rows for name, one in read(row.position).items()}
