"""The process: every enabled mapping from start to drained, and what was left of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from collections.abc import Mapping as Map
from contextlib import AsyncExitStack
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

from headrace.clock import SYSTEM
from headrace.config import Config
from headrace.ending import cancelled
from headrace.errors import ConfigError, Fault, HeadraceError
from headrace.functions import Function, close
from headrace.leases import Leases
from headrace.ledger import LedgerOpening
from headrace.mapping import Mapping
from headrace.model import Condition
from headrace.observe import log
from headrace.pipeline import CLOSING_TIME
from headrace.service import status
from headrace.service.idle import until_idle
from headrace.service.sampling import EVERY, Sampler
from headrace.service.status import MappingView, Snapshot
from headrace.service.watchdog import Watchdog
from headrace.witness import witness_of

BEAT: Final = 0.5
"""Seconds between two signs of life of the loop."""

GRACE: Final = 10.0
"""Seconds beyond the drain, the last answers, deletes and commits after which the watchdog ends the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a mapping came to. `left` records were still at a handler, and come again; `lost` are its lost lanes."""

    view: MappingView
    left: int
    lost: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not self.left and not self.lost

    @property
    def complaints(self) -> list[str]:
        """What was not clean, one line each, for people."""
        name = self.view.mapping
        lines = [f"{name}: the lane {lane} was lost to another owner" for lane in self.lost]
        if self.left:
            lines.append(f"{name}: {self.left} records left at the handler; they come again")
        return lines


class NotPausable(HeadraceError):  # noqa: N818 - it says why not
    """Why this process cannot pause or resume a mapping, and the mend."""


class Service:
    """Every enabled mapping of a config, or of those that *only* names. Run once.

    Raises:
        ConfigError: *only* names a mapping that is not there.
    """

    def __init__(
        self,
        config: Config,
        functions: Map[str, Function],
        *,
        only: Collection[str] = (),
        exit_when_idle: float | None = None,
        sample_every: float = EVERY,
    ) -> None:
        self.name = config.service.name
        self.drain_timeout = config.service.drain_timeout
        self.heartbeat = SYSTEM.boot()
        self.stopping = False
        self._watchdog: Watchdog | None = None
        self._exit_when_idle, self._sample_every = exit_when_idle, sample_every
        self.known = tuple(config.all)
        self._functions, self._log = functions, log(service=self.name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._mappings: dict[str, Mapping] = {}
        self._samplers: dict[str, Sampler] = {}
        self._disabled: list[MappingView] = []
        self._ended: dict[str, float] = {}
        shared: dict[object, Any] = {}
        ledger = LedgerOpening(url=config.state, service=self.name, log=self._log)
        self._leases = Leases(
            partial(config.catalog.ledger, ledger),
            ttl=config.service.lease_ttl,
            witness=witness_of(config.state, self.name, self._log),
            logger=self._log,
        )
        for name in chosen(config, only):
            one = config.all[name]
            if one.settings.enabled:
                opening = config.opening(name, leases=self._leases, shared=shared)
                mapping = Mapping(one.connector, opening, functions[one.function])
                self._mappings[name], self._samplers[name] = mapping, Sampler(mapping)
            else:
                self._disabled.append(status.disabled(name, one.connector.type, one.function))

    def guard(self, watchdog: Watchdog) -> None:
        """From now on a stop that takes too long ends the process."""
        self._watchdog = watchdog

    def stop(self) -> None:
        """Begin to drain. From any thread, at any time, any number of times; also before `run`."""
        if not self.stopping:
            self.stopping = True
            if self._watchdog is not None:
                seconds = self.drain_timeout + CLOSING_TIME + GRACE
                self._watchdog.arm(seconds, f"not drained {seconds:g} s after the stop; ended by force")
        self.soon(self._stop.set)

    def soon(self, call: Callable[[], object]) -> bool:
        """Have the loop make *call*; false when it does not run."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # it is closed
            return False
        return True

    def snapshot(self) -> Snapshot:
        """Every mapping as it is now. On the loop the counts balance; from elsewhere they may be a step apart."""
        mappings = list(self._mappings.values())
        views = [
            status.view(mapping, self._samplers[mapping.name].sampled, self._ending(mapping)) for mapping in mappings
        ]
        return Snapshot(
            mappings=(*views, *self._disabled),
            histograms=tuple(one for mapping in mappings for one in status.histograms(mapping)),
        )

    def pause(self, name: str, *, paused: bool) -> bool:
        """Pause or resume a mapping whose source has no ledger; false where that changes nothing. On the loop only.

        Raises:
            NotPausable: it is not for this process to do.
        """
        mapping = self._mappings.get(name)
        if mapping is None:
            raise NotPausable(f"{name} does not run here: it is disabled, or --mapping leaves it out")
        if mapping.has_ledger:
            raise NotPausable(f"{name} is paused and resumed in the ledger, for every copy: use headrace pause")
        if self.stopping:
            raise NotPausable("the service is stopping")
        changed = mapping.pause(paused=paused)
        if changed:
            self._log.info("mapping.paused" if paused else "mapping.resumed", mapping=name)
        return changed

    def outcomes(self) -> list[Outcome]:
        """What each mapping came to; while it runs, what would be left if it ended now."""
        views = [view for view in self.snapshot().mappings if view.enabled]
        reports = [self._mappings[view.mapping].report for view in views]
        return [
            Outcome(view=view, left=view.in_flight + report.left, lost=tuple(report.lost))
            for view, report in zip(views, reports, strict=True)
        ]

    def complaints(self) -> list[str]:
        """What is not clean, one line each."""
        return [line for outcome in self.outcomes() for line in outcome.complaints]

    def _ending(self, mapping: Mapping) -> Condition | None:
        if mapping.name in self._ended:
            return Condition("stopped", since=self._ended[mapping.name])
        return Condition("draining") if self.stopping else None

    async def run(self) -> list[Outcome]:
        """Run until `stop`, idleness or cancellation, and drain in any case.

        How it ends: every mapping is told to drain within one budget; what each does then is in pipeline.py; when the
        last has let go, renewals, samplers and the heart stop, and the functions' idle threads end. Hung ones are not
        waited for.
        """
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(close, self._functions)
            stack.push_async_callback(self._leases.close)
            if not self.stopping:
                await self._run_mappings()
        outcomes = self.outcomes()
        self._log.info("service.stopped", clean=all(outcome.clean for outcome in outcomes))
        return outcomes

    async def _run_mappings(self) -> None:
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(one) for one in (self._beat(), self._stop_when_idle(), self._leases.run())]
            beside += [group.create_task(sampler.run(self._sample_every)) for sampler in self._samplers.values()]
            running = [group.create_task(self._run_mapping(mapping)) for mapping in self._mappings.values()]
            for function in self._functions.values():
                if function.apart:
                    self._log.info("function.apart", function=function.name, why=function.apart)
            self._log.info("service.started", mappings=list(self._mappings))
            try:
                await self._stop.wait()
            finally:  # a cancellation drains too, and is then passed on
                await self._drain(running)
                await cancelled(*beside)

    async def _run_mapping(self, mapping: Mapping) -> None:
        await mapping.run()
        self._ended[mapping.name] = SYSTEM.wall()

    async def _drain(self, running: Collection[asyncio.Task[None]]) -> None:
        self._log.info("service.stopping", drain_timeout=self.drain_timeout)
        for mapping in self._mappings.values():
            mapping.stop(self.drain_timeout)
        if running:
            await asyncio.wait(running)

    async def _stop_when_idle(self) -> None:
        if self._exit_when_idle is not None:
            await until_idle(list(self._mappings.values()), self._exit_when_idle)
            for sampler in self._samplers.values():
                await sampler.sample()
            self._log.info("service.idle", seconds=self._exit_when_idle)
            self.stop()

    async def _beat(self) -> None:
        while True:
            self.heartbeat = SYSTEM.boot()
            await asyncio.sleep(BEAT)


def chosen(config: Config, only: Collection[str]) -> list[str]:
    """What to run, in the order of the config: what *only* names, or every mapping and every function's queue.

    Raises:
        ConfigError: it names one that is not there.
    """
    known = list(config.all)
    faults = []
    for name in only:
        if name not in known:
            close = get_close_matches(name, known, 1)
            mend = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            faults.append(Fault("--mapping", f"there is no mapping {name!r}; {mend}"))
    if faults:
        raise ConfigError(faults)
    return [name for name in known if not only or name in only]
