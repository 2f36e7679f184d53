"""Run one event source mapping: open its source, carry each of its lanes, begin again after what nobody expected."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial

from headrace.ending import cancelled
from headrace.equipment import Equipment
from headrace.errors import HeadraceError
from headrace.functions import Function
from headrace.model import Condition, LooksAhead, Source
from headrace.observe import Discreet, Tally
from headrace.pausing import FINISHING, Pause
from headrace.pipeline import End, Ending
from headrace.plugins import Connector, Opening
from headrace.retry import again
from headrace.runninglane import RunningLane
from headrace.sharded import ShardedSource
from headrace.sharing import LEFT_ALONE, PAUSED

STEADY = 60.0
"""Seconds after which a failure counts as the first of its kind."""


@dataclass(slots=True)
class Report:
    """What a mapping left when it ended: records still at a handler, and lanes that were lost."""

    left: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.left and not self.lost


class Mapping:
    """One mapping, from `run` until `stop` has drained it.

    `tallies` are the counts by lane; they outlive a lane that is opened again. `lanes` are those that run now.
    """

    def __init__(self, connector: Connector, opening: Opening, function: Function) -> None:
        self.name, self.type, self.function = opening.mapping, connector.type, function
        self.tallies: dict[str, Tally] = {}
        self.lanes: dict[str, RunningLane] = {}
        self.report = Report()
        redacts = bool(opening.settings.redact)
        self._connector, self._log = connector, Discreet(opening.log) if redacts else opening.log
        still_runs = partial(function.still_runs, self.name)
        self._opening = replace(opening, log=self._log, tally=self._tally, words=self._words, still_runs=still_runs)
        self._equipment = Equipment(connector, self._opening, function)
        self._source: Source | None = None
        self._stopping = asyncio.Event()
        self._pause = Pause(opening.clock)
        self._drain_by = 0.0
        self._problem = Condition("starting", "not begun yet", opening.clock.wall())

    @property
    def condition(self) -> Condition:
        """Polling when every lane polls; else the state and reason of the first that does not, or of the source.

        One that is paused here says so, whatever its lanes are at; so does a source that leaves a lane alone.
        """
        if paused := self._pause.condition:
            return paused
        own = self._problem if self._source is None else self._source.condition
        conditions = [running.condition for running in list(self.lanes.values())]
        if not conditions or own.state in {LEFT_ALONE, PAUSED}:
            return own
        return next((c for c in conditions if not c.ready), conditions[0])

    @property
    def has_ledger(self) -> bool:
        """Whether its positions, and with them its pauses, are the ledger's."""
        return self._connector.has_ledger

    def pause(self, *, paused: bool) -> bool:
        """Receive nothing more, finish what is at the handler and rest; or go on. False where that changes nothing.

        What was received and not begun goes back to the source. A pause ends with the process. *paused* false goes on
        once what was begun before the pause is finished.
        """
        changed = self._pause.ask(paused=paused)
        if changed and paused and self._source is not None:
            self._pause.finishing = True
            for running in self.lanes.values():
                running.pipeline.stop(FINISHING)
        return changed

    def stop(self, seconds: float) -> None:
        """Drain every lane; what is still at a handler after *seconds* is left."""
        self._drain_by = asyncio.get_running_loop().time() + seconds
        self._stopping.set()
        for running in self.lanes.values():
            running.pipeline.stop(seconds)

    async def run(self) -> None:
        """Carry every lane until `stop`. What nobody expected is logged, and the source opened again.

        Destinations are opened before the first lane, and closed after the last.
        """
        async with self._equipment.open():
            done = False
            while not done and not self._stopping.is_set():
                async for attempt in again(self._log, "mapping.failing", waking=self._stopping):
                    with attempt:
                        done = self._stopping.is_set() or await self._run_once()

    async def idle(self) -> bool:
        """True when nothing is left to do, here or at the source."""
        held = any(tally.in_flight for tally in self.tallies.values())
        return not held and self._source is not None and await self._source.idle()

    async def lag(self) -> int | None:
        """Records that wait at the source; None where nobody can say."""
        return None if self._source is None else await self._source.lag()

    def behind(self) -> dict[str, float | None]:
        """Seconds, by lane: as the lane says, or the source of one that is not open. None where nobody can say."""
        source = self._source
        ahead: dict[str, float | None] = dict(source.behind()) if isinstance(source, LooksAhead) else {}
        return {**ahead, **{name: running.behind for name, running in dict(self.lanes).items()}}

    async def dead_lettered(self) -> int | None:
        """Records that the source itself put aside as dead letters; None where nobody can say."""
        return None if self._source is None else await self._source.dead_lettered()

    def _tally(self, lane: str) -> Tally:
        return self.tallies.setdefault(lane, Tally())

    def _words(self, lane: str) -> str:
        """What the ledger is told of a lane of ours with each renewal."""
        running = self.lanes.get(lane)
        return "" if running is None else running.words.text()

    async def _run_once(self) -> bool:
        """True when every lane has ended; false when it is to begin anew, without back-off.

        That is after a pause, and when it failed after a good while.
        """
        began = self._opening.clock.boot()
        source = self._source = _open(self._connector, self._opening)
        try:
            async with asyncio.TaskGroup() as group:
                opening = group.create_task(self._open_lanes(source, group))
                await self._first_of(opening, self._stopping, self._pause.begun)
                await cancelled(opening)  # else it would go on taking shards
            if self._pause.holds:
                self._pause.finishing = False  # the source stays open: it is still asked for its lag
                await self._first_of(None, self._stopping, self._pause.over)
                return False
        except ExceptionGroup as failed:
            self._say_failed(_first(failed))
            self._abandon()
            if self._opening.clock.boot() - began < STEADY:
                raise
            return False
        else:
            return True
        finally:
            self.lanes.clear()
            self._pause.finishing = False
            self._source = None
            await source.close()

    @staticmethod
    async def _first_of(task: asyncio.Task[None] | None, *events: asyncio.Event) -> None:
        """Until *task* has ended or one of *events* is set."""
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait([*waits, *([task] if task else [])], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(*waits)

    def _say_failed(self, error: Exception) -> None:
        """What nobody expected is told every time, with where it came from."""
        ours = isinstance(error, (HeadraceError, OSError)) or not self._opening.settings.redact
        reason = f"{type(error).__name__}: {error}" if ours else type(error).__name__  # it may quote a record
        self._problem = Condition("failed", reason, self._opening.clock.wall())
        self._log.error("mapping.failed", error=reason, exc_info=error)

    async def _open_lanes(self, source: Source, group: asyncio.TaskGroup) -> None:
        async for lane in source.lanes():
            running = self.lanes[lane.name] = self._equipment.running(source, lane)
            group.create_task(self._carry(running))

    async def _carry(self, running: RunningLane) -> None:
        if self._stopping.is_set():
            running.pipeline.stop(self._drain_by - asyncio.get_running_loop().time())
        elif self._pause.holds:
            running.pipeline.stop(FINISHING)
        self._log.info("lane.opened", lane=running.lane.name)
        try:
            ending = await running.pipeline.run()
        finally:
            if running.work.once is not None:
                running.work.once.close(partial(self._opening.still_runs, running.lane.name))
            if running.work.keeping is not None:
                running.work.keeping.close()
        self._log.info("lane.closed", lane=running.lane.name, how=ending.how.value, left=ending.left)
        self._account(running.lane.name, ending)
        if not self._stopping.is_set() and self.lanes.get(running.lane.name) is running:
            del self.lanes[running.lane.name]

    def _account(self, lane: str, ending: Ending) -> None:
        """What was not clean at the end. A lane that is lost before the stop goes on elsewhere, or here again."""
        if ending.how is End.LOST:
            self._log.warning("lane.lost", lane=lane, left=ending.left)
            if self._stopping.is_set():
                self.report.lost.append(lane)
        elif self._stopping.is_set():
            self.report.left += ending.left

    def _abandon(self) -> None:
        """What was in hand when a lane failed comes again from its source."""
        for running in self.lanes.values():
            tally = running.work.tally
            tally.abandoned += tally.in_flight
            tally.in_flight = 0


def _open(connector: Connector, opening: Opening) -> Source:
    if connector.shards is not None:
        return ShardedSource(opening, connector.shards(opening))
    assert connector.open is not None, "a connector has one of them"  # noqa: S101 - Connector sees to it
    return connector.open(opening)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """The first error of a group that is not a group itself."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
