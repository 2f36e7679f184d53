"""Records at the handler: who may be there with them, what is marked and counted, and what it came to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeAlias

from headrace.alone import UnderWay, of_this_process
from headrace.model import Event, Record
from headrace.outgoing import Outcome, ids_of
from headrace.settling import Settling
from headrace.verdict import Kind
from headrace.windows import Tumbling

Attempt: TypeAlias = Callable[[Sequence[Record], int, Event], Awaitable[Outcome]]
"""Calls the function once with these records, as attempt number N; the event also has these keys."""

WORDS = 200
"""Characters of a reason that people read in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying(Settling):
    """The attempts at a lane's records.

    *under_way* is all that is at a handler in this process, whatever its mapping.
    """

    attempt: Attempt
    under_way: UnderWay = field(default_factory=of_this_process)
    tumbling: Tumbling | None = None

    async def handle(
        self, records: Sequence[Record], attempt: int, spoiled: set[str | None]
    ) -> tuple[Sequence[Record], Outcome | None]:
        """What of *records* could be tried, and what that came to; None where nothing could."""
        if not records:
            return [], None
        async with self._place(records[0], attempt):
            admitted = await self._admit(records, attempt, spoiled)
            return admitted, await self._try(admitted, attempt) if admitted else None

    @asynccontextmanager
    async def _place(self, record: Record, attempt: int) -> AsyncIterator[None]:
        """At the handler, for *record* and what comes with it: alone where it is given up if the process ends there."""
        alone = self._is_last_chance(record, attempt)
        why = f"{record.id} is given up if its process ends with it again, and waits to be alone in it"
        async with AsyncExitStack() as stack:
            with self.doing.now("waiting", why[:WORDS], self.clock.wall()) if alone else nullcontext():
                await stack.enter_async_context(self.under_way.alone() if alone else self.under_way.beside())
            yield

    def _is_last_chance(self, record: Record, attempt: int) -> bool:
        """Whether *record* is given up if its process ends with this attempt."""
        care = self.lane.care
        return care is not None and self.plan.failure.exhausted(care.at_stake(record, attempt))

    async def _admit(self, records: Sequence[Record], attempt: int, spoiled: set[str | None]) -> Sequence[Record]:
        """What of *records* may be tried now, marked where the lane goes carefully."""
        care = self.lane.care
        if care is not None and (care.one_by_one or self._is_last_chance(records[0], attempt)):
            await care.mark(records[0], attempt)
        return await self.still_ours(records, spoiled)

    async def _try(self, records: Sequence[Record], attempt: int) -> Outcome:
        count, tally, wall = len(records), self.tally, self.clock.wall()
        ticket = self.slots.ticket()
        tally.invoked += count
        with self.doing.now("handling", f"{count} records at the handler, attempt {attempt}", wall):
            outcome = await self.attempt(records, attempt, self.tumbling.event() if self.tumbling else {})
        if self.once is not None and outcome.answer.lingering is not None:
            self.once.linger(records, outcome.answer.lingering)
        if outcome.verdict.kind in {Kind.LAPSED, Kind.UNREADABLE}:
            tally.invoked -= count
            return outcome
        if attempt > 1:
            tally.retried += count
        elif self.lane.traits.redelivers:
            tally.retried += sum([record.attempt > 1 for record in records])
        tally.batch_size.add(count)
        ages = [wall - record.at for record in records]
        tally.age.spread(min(ages), max(ages), ages)
        tally.duration.add(outcome.answer.duration)
        if outcome.verdict.kind in (Kind.ERROR, Kind.BAD_ANSWER):
            self.slots.failed(ticket)
        else:
            self.slots.succeeded()
        return outcome

    def report(self, records: Sequence[Record], bad: Sequence[Record], attempt: int, outcome: Outcome) -> None:
        self.tally.failed_invoke += len(records)
        self.tally.failed += len(bad)
        why = {"error": str(outcome.verdict.failure)} if outcome.verdict.failure else {}
        self.log.warning(
            "batch.failed",
            lane=self.lane.name,
            kind=outcome.verdict.kind.value,
            **why,
            records=len(records),
            failed=len(bad),
            ids=ids_of(bad),
            attempt=max([attempt, *(record.attempt for record in bad)]),
            request_id=outcome.answer.request_id,
        )
