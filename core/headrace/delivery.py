"""Carry one batch from its first attempt to a verdict for each of its records."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeAlias

from headrace.batcher import BatchPolicy
from headrace.clock import SYSTEM, Clock
from headrace.model import Answer, Lane, LaneLost, Order, Record
from headrace.observe import Log, Tally, log
from headrace.pages import cut
from headrace.policy import EXPIRED, Bisect, Discard, FailurePolicy, GiveBack, Retry, halves, part
from headrace.slots import Slots
from headrace.verdict import Kind, Verdict

NAMED = 10
"""Ids named in one line of log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt: what the function said, and what it means."""

    answer: Answer
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """Records that are given up, and why: what a failure destination is told."""

    lane: str
    records: Sequence[Record]
    reason: str
    attempts: int
    outcome: Outcome | None


Attempt: TypeAlias = Callable[[Sequence[Record], int], Awaitable[Outcome]]
"""Calls the function once with these records, as attempt number N."""

Discarder: TypeAlias = Callable[[Discarded], Awaitable[bool]]
"""Sends records to the failure destination; true when it has confirmed them, false when there is none."""


async def no_destination(_: Discarded) -> bool:
    """The discarder of a mapping without a failure destination."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a mapping's records are gathered, tried and given up.

    Attributes:
        strands: in a sequence, how many keys' batches may be at the handler at once, one batch each.
        concurrency: elsewhere, how many batches may be at the handler at once.
        capacity: records that a lane may hold; `capacity_bytes` the same in bytes.
    """

    batch: BatchPolicy = field(default_factory=BatchPolicy)
    failure: FailurePolicy = field(default_factory=FailurePolicy)
    strands: int = 1
    concurrency: int = 10
    capacity: int = 1000
    capacity_bytes: int = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every batch of a lane shares: the lane, how it is tried, and where it is counted."""

    lane: Lane
    plan: Plan
    attempt: Attempt
    slots: Slots
    discard: Discarder = no_destination
    tally: Tally = field(default_factory=Tally)
    clock: Clock = SYSTEM
    log: Log = field(default_factory=log)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, records: Sequence[Record], wake: Callable[[], None] = lambda: None) -> None:
        """Try *records* until each has its verdict, or the lane is to stop; *wake* says that places have changed.

        The pieces of a batch wait on a stack of the batch's own, so that order holds and no piece overtakes another.
        A call that timed out but still runs in its thread keeps the place at the handler. In a sequence it also keeps
        its records from being tried again beside it; in key order they are not let go before it has ended.
        """
        by_key, spoiled = self.lane.traits.order is Order.KEY, set[str | None]()
        pieces = deque((piece, 1) for piece in (cut(records, self.plan.batch.nbytes) if by_key else [records]))
        while pieces:
            piece, attempt = pieces.popleft()
            if self.stopping.is_set():
                await self.give_back([record for more, _ in [(piece, 0), *pieces] for record in more], 0.0)
                return
            if spoiled:
                piece = await self._without(spoiled, piece)
            piece = await self._still_ours(piece, spoiled)
            if expired := self.plan.failure.expired(piece, self.clock.wall()):
                await self._give_up(piece[:expired], EXPIRED, attempt, None)
                pieces.appendleft((piece[expired:], attempt))  # a destination takes its time: look at the rest anew
                continue
            if not piece:
                continue
            outcome = await self._try(piece, attempt)
            if by_key:
                spoiled |= {record.key for record in piece if outcome.verdict.fails(record.id)}
                await self._linger(outcome.answer, wake)
            pieces.extendleft(reversed(await self._settle(piece, attempt, outcome)))
            if not by_key:
                await self._linger(outcome.answer, wake)

    async def _without(self, spoiled: AbstractSet[str | None], records: Sequence[Record]) -> Sequence[Record]:
        """Give back what follows a record of its key that failed or lapsed in an earlier piece of the same batch."""
        await self.give_back([record for record in records if record.key in spoiled], None)
        return [record for record in records if record.key not in spoiled]

    async def _still_ours(self, records: Sequence[Record], spoiled: set[str | None]) -> Sequence[Record]:
        """Without what may not be dispatched any more: its visibility ran out, or could not be renewed.

        In key order nor may what follows: its keys are *spoiled*.
        """
        now = self.clock.boot()
        if now >= self.lane.deadline:
            raise LaneLost(self.lane.name)
        if min([record.until for record in records], default=math.inf) > now:
            return records
        by_key = self.lane.traits.order is Order.KEY
        ours, lapsed = _part_lapsed(records, now, by_key=by_key)
        if by_key:
            spoiled |= {record.key for record in lapsed}
        self.log.warning("message.lapsed", lane=self.lane.name, ids=_ids(lapsed), records=len(lapsed))
        self.tally.lapsed += len(lapsed)
        await self.lane.nack(lapsed, None)
        self.tally.abandoned += len(lapsed)
        self._let_go(lapsed)
        return ours

    async def _try(self, records: Sequence[Record], attempt: int) -> Outcome:
        count, tally, wall = len(records), self.tally, self.clock.wall()
        ticket = self.slots.ticket()
        tally.invoked += count
        tally.retried += count if attempt > 1 else sum([record.attempt > 1 for record in records])
        tally.batch_size.add(count)
        ages = [wall - record.at for record in records]
        tally.age.spread(min(ages), max(ages), ages)
        outcome = await self.attempt(records, attempt)
        if outcome.verdict.kind is Kind.LAPSED:
            tally.invoked -= count
            return outcome
        tally.duration.add(outcome.answer.duration)
        if outcome.verdict.kind in (Kind.ERROR, Kind.BAD_ANSWER):
            self.slots.failed(ticket)
        else:
            self.slots.succeeded()
        return outcome

    async def _linger(self, answer: Answer, wake: Callable[[], None]) -> None:
        """Wait until a call that timed out has really ended.

        When the lane is to stop, a queue's place need not be kept any longer: its records were given back; but not in
        key order, where they are held until then.
        """
        if answer.lingering is None:
            return
        self.log.warning("handler.still_running", lane=self.lane.name, request_id=answer.request_id)
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(answer.lingering)]
        if self.lane.traits.redelivers and self.lane.traits.order is not Order.KEY:
            waits.append(asyncio.ensure_future(self.stopping.wait()))
        self.slots.hung += 1
        wake()
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.slots.hung -= 1
            for wait in waits:
                wait.cancel()

    async def _settle(
        self, records: Sequence[Record], attempt: int, outcome: Outcome
    ) -> list[tuple[Sequence[Record], int]]:
        """Settle what can be settled after an attempt; the pieces that are to be tried again, in order."""
        match outcome.verdict.kind:
            case Kind.SUCCESS:
                await self._succeed(records)
                return []
            case Kind.LAPSED:  # to be parted from what is still ours
                return [(records, attempt)]
            case _:
                return await self._after_failure(records, attempt, outcome)

    async def _after_failure(
        self, records: Sequence[Record], attempt: int, outcome: Outcome
    ) -> list[tuple[Sequence[Record], int]]:
        """The same of a batch that failed."""
        verdict, traits, failure = outcome.verdict, self.lane.traits, self.plan.failure
        good, bad = (
            part(records, verdict.failed, traits.order, strict=failure.strict)
            if verdict.kind is Kind.PARTIAL
            else ([], records)
        )
        self._report(records, bad, attempt, outcome)
        await self._succeed(good)
        match failure.decide(traits, failed=len(bad), attempt=attempt, progress=bool(good)):
            case GiveBack():
                await self._return_failed(bad)
            case Bisect():
                return [(half, attempt) for half in halves(bad)]
            case Retry(delay, next_attempt):
                await self._pause(delay)
                return [(bad, next_attempt)]
            case Discard(reason):
                await self._give_up(bad, reason, attempt, outcome)
        return []

    def _report(self, records: Sequence[Record], bad: Sequence[Record], attempt: int, outcome: Outcome) -> None:
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
            ids=_ids(bad),
            attempt=max([attempt, *(record.attempt for record in bad)]),
            request_id=outcome.answer.request_id,
        )

    async def _succeed(self, records: Sequence[Record]) -> None:
        if records:
            await self.lane.ack(records)
            self.tally.succeeded += len(records)
            self._let_go(records)

    async def _return_failed(self, records: Sequence[Record]) -> None:
        """Leave failed records to their source, each for the time that its count of deliveries asks."""
        for attempt, group in groupby(sorted(records, key=_attempt), key=_attempt):
            await self.give_back(list(group), self.plan.failure.delay(attempt))

    async def give_back(self, records: Sequence[Record], delay: float | None) -> None:
        """These come again: after *delay* seconds, or in the source's own time when None."""
        if records:
            await self.lane.nack(records, delay)
            self.tally.returned += len(records)
            self._let_go(records)

    async def _give_up(self, records: Sequence[Record], reason: str, attempts: int, outcome: Outcome | None) -> None:
        """Verdict: discarded by a policy that was chosen by name. The destination confirms before the records go."""
        gone = Discarded(lane=self.lane.name, records=records, reason=reason, attempts=attempts, outcome=outcome)
        confirmed = await self.discard(gone)
        await self.lane.ack(records)
        if confirmed:
            self.tally.delivered += len(records)
        else:
            self.log.error(
                "records.dropped", lane=self.lane.name, reason=reason, ids=_ids(records), records=len(records)
            )
            self.tally.dropped += len(records)
        self._let_go(records)

    async def _pause(self, delay: float) -> None:
        """Wait *delay*, jittered, but no longer than until the lane is to stop."""
        if delay <= 0:
            return
        try:
            async with asyncio.timeout(delay * random.uniform(0.5, 1)):
                await self.stopping.wait()
        except TimeoutError:
            pass

    def _let_go(self, records: Sequence[Record]) -> None:
        """The engine holds these no more."""
        self.tally.in_flight -= len(records)
        self.settled.set()


def _part_lapsed(records: Sequence[Record], now: float, *, by_key: bool) -> tuple[list[Record], list[Record]]:
    """Part what is ours still from what is not; with *by_key* what follows in a group goes with its lapsed record."""
    ours: list[Record] = []
    lapsed: list[Record] = []
    groups: set[str | None] = set()
    for record in records:
        if record.until <= now or (by_key and record.key in groups):
            groups.add(record.key)
            lapsed.append(record)
        else:
            ours.append(record)
    return ours, lapsed


def _attempt(record: Record) -> int:
    return record.attempt


def _ids(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records[:NAMED]]
