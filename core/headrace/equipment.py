"""What the lanes of one mapping are carried with: all that its settings ask for, and its destinations while open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from headrace.attempting import attempt_of, redaction_of
from headrace.claims import ClaimStore
from headrace.delivery import Work
from headrace.destination import Destination
from headrace.filters import keeper_of
from headrace.functions import Function
from headrace.idempotency import idempotency_of, once_in
from headrace.keeper import Keeper
from headrace.keeping import Keeping
from headrace.model import Keep, Lane, Record, Source, Unreadable
from headrace.pipeline import Pipeline
from headrace.plan import plan_of
from headrace.plugins import Connector, Opening
from headrace.redaction import Redaction
from headrace.runninglane import RunningLane
from headrace.sharded import ShardedSource
from headrace.slots import Slots
from headrace.telling import Telling
from headrace.windows import Tumbling


class Equipment:
    """`open` before the first lane, and left after the last."""

    def __init__(self, connector: Connector, opening: Opening, function: Function) -> None:
        self._connector, self._opening, self._function, self._log = connector, opening, function, opening.log
        self._wanted = connector.keep(opening)
        self._idempotency = idempotency_of(connector, opening)
        self._keeper = _keeper_of(opening)
        self._destinations: dict[object, Destination] = {}
        self._claims: dict[object, ClaimStore] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Destinations and claim checks are open within, and what is run once is held."""
        async with AsyncExitStack() as stack:
            for to in self._opening.destinations:
                destination = self._destinations[to.key] = to.kind.open(self._opening, to.options)
                stack.push_async_callback(destination.close)
            for to in self._opening.claim_checks:
                assert to.kind.claims is not None, "the config has seen to it"  # noqa: S101 - for the types
                store = self._claims[to.key] = to.kind.claims.open(self._opening, to.options)
                stack.push_async_callback(store.close)
            if self._idempotency is not None:
                await stack.enter_async_context(self._idempotency.holds.kept())
            if self._keeper is not None:
                await stack.enter_async_context(self._keeper.open())
            yield self

    def running(self, source: Source, lane: Lane) -> RunningLane:
        """*lane*, ready to be carried."""
        plan = plan_of(self._opening.settings, lane.traits)
        plan = plan.careful() if lane.care is not None and lane.care.one_by_one else plan
        redaction = redaction_of(self._connector, self._opening, source.render)
        telling = Telling(
            connector=self._connector,
            opening=self._opening,
            function=self._function,
            source=source,
            lane=lane,
            opened=self._destinations,
            claims=self._claims,
            redaction=redaction,
        )
        stopping = asyncio.Event()
        once = once_in(self._idempotency, source, lane, stopping)
        work = Work(
            lane=lane,
            plan=plan,
            attempt=attempt_of(self._opening, self._function, source, lane, once, redaction=redaction),
            once=once,
            keeping=self._keeping(lane, redaction),
            stopping=stopping,
            tumbling=self._tumbling(source, lane),
            slots=Slots(plan.concurrency),
            discard=telling.of_failure(),
            announce=telling.of_success(),
            keeps_refused=self._connector.asynchronous,
            tally=self._opening.tally(lane.name),
            clock=self._opening.clock,
            log=self._log,
        )
        return RunningLane(lane, Pipeline(work, self._keep(source)), work)

    def _keeping(self, lane: Lane, redaction: Redaction | None) -> Keeping | None:
        if self._keeper is None:
            return None
        return Keeping(
            keeper=self._keeper,
            lane=lane,
            version=self._function.version,
            clean=redaction.kept if redaction is not None else lambda _, value: value,
            clock=self._opening.clock,
            log=self._log,
        )

    def _keep(self, source: Source) -> Keep | None:
        """What the connector and the user's filters want. One that fails, which none should, keeps its record."""
        criteria, view = self._opening.settings.filter_criteria, self._connector.view_of(self._opening.options)
        tests = [test for test in (self._wanted, keeper_of(criteria, view, source.render)) if test]

        def keep(record: Record) -> bool:
            try:
                return all(test(record) for test in tests)
            except Exception:  # noqa: BLE001 - a record is never lost to a filter
                if not isinstance(record, Unreadable):  # no filter can read it, and what comes next gives it up
                    self._log.exception("filter.failed", ids=[record.id])
                return True

        return keep if tests else None

    def _tumbling(self, source: Source, lane: Lane) -> Tumbling | None:
        seconds = self._opening.settings.tumbling_window_in_seconds
        return source.tumbling(lane.name, seconds) if seconds and isinstance(source, ShardedSource) else None


def _keeper_of(opening: Opening) -> Keeper | None:
    """None where nobody is told of anything, or there is no store for it."""
    if not (opening.destinations and opening.keeps) or opening.leases is None:
        return None
    return Keeper(opening.mapping, opening.leases.ledger, opening.clock, opening.log)
