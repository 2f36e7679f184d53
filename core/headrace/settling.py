"""What becomes of records that are in hand: settled, given back, or given up; and where that is counted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TypeAlias
from uuid import uuid4

from headrace.clock import SYSTEM, Clock
from headrace.destination import CONFIRMED, SUCCESS, Reply, Said
from headrace.doing import Doing
from headrace.errors import DestinationUnavailable
from headrace.model import KEEP, Lane, LaneLost, Order, Record, Unchanged
from headrace.observe import Log, Tally, log
from headrace.once import Once
from headrace.outgoing import Keeps, Left, Outcome, Outgoing, Sender, ids_of, no_destination
from headrace.plan import Plan
from headrace.retry import again
from headrace.slots import Slots
from headrace.unsent import Unsent

_Send: TypeAlias = Callable[[Outgoing], Awaitable[Left]]
"""Sends records once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """One lane's records on their way out of the engine.

    *discard* tells the failure destination, *announce* that of what succeeded, where there is one. Of a queue a record
    that its failure destination can never take goes back, unless the lane *keeps_refused*: who brings it again would
    have it run again. *keeping* is for what is not taken at once: a stop or a kill has nobody run it again.
    """

    lane: Lane
    plan: Plan
    slots: Slots
    discard: Sender = no_destination
    keeps_refused: bool = False
    announce: Sender | None = None
    tally: Tally = field(default_factory=Tally)
    clock: Clock = SYSTEM
    log: Log = field(default_factory=log)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    unsent: Unsent = field(default_factory=Unsent)
    doing: Doing = field(default_factory=Doing)
    aside: set[object] = field(default_factory=set)
    once: Once | None = None
    keeping: Keeps | None = None

    async def still_ours(self, records: Sequence[Record], spoiled: set[str | None]) -> Sequence[Record]:
        """Without what may not be dispatched any more: its visibility ran out, or could not be renewed.

        In key order nor may what follows: its keys are *spoiled*. Waits while the lane itself is in doubt.
        """
        while (doubt := self.lane.doubt) is not None:
            await doubt.wait()
        now = self.clock.boot()
        if now >= self.lane.deadline:
            raise LaneLost(self.lane.name)
        if not self.lane.traits.redelivers or min([record.until for record in records], default=math.inf) > now:
            return records  # of a log nothing has a time of its own
        by_key = self.lane.traits.order is Order.KEY
        ours, lapsed = _part_lapsed(records, now, by_key=by_key)
        if by_key:
            spoiled |= {record.key for record in lapsed}
        self.log.warning("message.lapsed", lane=self.lane.name, ids=ids_of(lapsed), records=len(lapsed))
        self.tally.lapsed += len(lapsed)
        await self.lane.nack(lapsed, None)
        self.tally.abandoned += len(lapsed)
        self._let_go(lapsed)
        return ours

    async def succeed(
        self,
        records: Sequence[Record],
        memo: bytes | Unchanged | None = KEEP,
        outcome: Outcome | None = None,
        attempts: int = 1,
    ) -> None:
        """*memo* is kept with them, where the lane keeps one.

        They are settled when their destination has confirmed: if that fails, only the sending is repeated. Where they
        are to be run once, that is remembered in between: what is settled and not remembered would be run again, and
        what is remembered is never told again.
        """
        if records and self.announce is not None and outcome is not None:
            await self.conclude_success(self._outgoing(records, SUCCESS, attempts, outcome), memo)
        else:
            await self._succeeded(records, memo)

    async def conclude_success(self, gone: Outgoing, memo: bytes | Unchanged | None) -> None:
        """The same of what is still to be told of."""
        records = gone.records
        if self.announce is not None:
            with self.once.kept(records) if self.once is not None else nullcontext():
                records = await self._announced(self.announce, gone)
        await self._succeeded(records, memo)

    async def _succeeded(self, records: Sequence[Record], memo: bytes | Unchanged | None) -> None:
        if records:
            if self.once is not None:
                await self.once.finish(records)
            await self.lane.ack(records, memo)
            self.tally.succeeded += len(records)
            self._settled(records)

    async def _announced(self, announce: Sender, gone: Outgoing) -> Sequence[Record]:
        """Those that their destination has confirmed; the others are given back, because the lane is to stop."""
        told: list[Record] = []

        async def tell(some: Outgoing) -> Left:
            replies = await announce(some) or [CONFIRMED] * len(some.records)
            both = list(zip(some.records, replies, strict=True))
            told.extend(record for record, reply in both if reply.said is Said.CONFIRMED)
            failed = [(record, reply) for record, reply in both if reply.said is not Said.CONFIRMED]
            self.tally.announce_errors += len(failed)
            if failed and self.keeping is not None:
                await self.keeping.keep(some)
            return _left(failed)

        left = await self._until_taken(gone, tell)
        if left and not self.lane.traits.redelivers:  # what stands behind one that was not told comes again anyway
            left, told = gone.records, []
        await self.give_back(left, 0.0)
        self.tally.announced += len(told)
        return told

    async def deduplicate(self, records: Sequence[Record]) -> None:
        """These were run before: settled as what succeeded is."""
        if records:
            await self.lane.ack(records)
            self.tally.deduplicated += len(records)
            self._settled(records)

    async def return_failed(self, records: Sequence[Record]) -> None:
        """Leave failed records to their source, each for the time that its count of deliveries asks."""
        for attempt, group in groupby(sorted(records, key=_attempt), key=_attempt):
            await self.give_back(list(group), self.plan.failure.delay(attempt))

    async def give_back(self, records: Sequence[Record], delay: float | None) -> None:
        """These come again: after *delay* seconds, or in the source's own time when None."""
        if records:
            await self.lane.nack(records, delay)
            self.tally.returned += len(records)
            self._let_go(records)

    async def give_up(self, records: Sequence[Record], reason: str, attempts: int, outcome: Outcome | None) -> None:
        """Verdict: discarded by a policy that was chosen by name. Each record goes when the destination confirms it.

        A destination that is down holds the rest: sent again with back-off until it is taken, its time at the source is
        over, or the lane is to stop: then it is given back, at once or when a try that is under way has ended.
        """
        await self.conclude_failure(self._outgoing(records, reason, attempts, outcome))

    async def conclude_failure(self, gone: Outgoing) -> None:
        """The same of what is still to be told of."""
        await self.give_back(await self._until_taken(gone, self._send), 0.0)

    def _outgoing(self, records: Sequence[Record], reason: str, attempts: int, outcome: Outcome | None) -> Outgoing:
        return Outgoing(
            lane=self.lane.name,
            records=records,
            reason=reason,
            attempts=attempts,
            outcome=outcome,
            request_id=(outcome.answer.request_id if outcome else "") or str(uuid4()),
            at=self.clock.wall(),
        )

    async def _until_taken(self, gone: Outgoing, send: _Send) -> Sequence[Record]:
        """Send what is still ours of *gone* until nothing is left to be sent; what is left when the lane is to stop."""
        batch, left = object(), Left()
        try:
            async for attempt in again(
                self.log, "destination.unavailable", waking=self.stopping, lane=self.lane.name, ids=ids_of(gone.records)
            ):
                with attempt:
                    left = left._replace(records=await self.still_ours(gone.records, set()))
                    if left.records and not (left.why and self.stopping.is_set()):
                        left = await send(replace(gone, records=left.records))
                    gone = replace(gone, records=left.records)
                    if left.records and not self.stopping.is_set():
                        self._hold(batch, left)
                        raise DestinationUnavailable(left.why)
        finally:
            self._release(batch)
        return gone.records

    def _hold(self, batch: object, left: Left) -> None:
        """What is refused for good keeps no place at the handler, where no order asks for it: others go on."""
        self.unsent.hold(batch, len(left.records), left.why, self.clock.wall(), refused=left.refused)
        aside = left.refused and self.lane.traits.order is Order.NONE
        if aside != (batch in self.aside):
            self.slots.aside += 1 if aside else -1
            (self.aside.add if aside else self.aside.discard)(batch)
            self.settled.set()

    def _release(self, batch: object) -> None:
        self.unsent.release(batch)
        self.slots.aside -= batch in self.aside
        self.aside.discard(batch)

    async def _send(self, gone: Outgoing) -> Left:
        """Settle what the destination confirms; what is to be sent again, and why."""
        replies = await self.discard(gone)
        if replies is None:
            await self._drop(gone)
            return Left()
        said: dict[Said, list[tuple[Record, Reply]]] = {one: [] for one in Said}
        for record, reply in zip(gone.records, replies, strict=True):
            said[reply.said].append((record, reply))
        if confirmed := [record for record, _ in said[Said.CONFIRMED]]:
            await self.lane.ack(confirmed)
            self.tally.delivered += len(confirmed)
            self._settled(confirmed)
        failed = said[Said.FAILED]
        if self.lane.traits.redelivers and not self.keeps_refused:
            await self._return_refused(said[Said.REFUSED])
        else:  # no source brings it again, or it would have it run again: it holds its place
            failed = [*failed, *said[Said.REFUSED]]
        self.tally.delivery_errors += len(failed)
        if failed and self.keeping is not None:
            await self.keeping.keep(replace(gone, records=[record for record, _ in failed]))
        return _left(failed)

    async def _return_refused(self, refused: Sequence[tuple[Record, Reply]]) -> None:
        """The destination can never take these as they are, so they stay where they are."""
        for record, reply in refused:
            self.log.error("record.refused_by_destination", lane=self.lane.name, ids=[record.id], error=reply.reason)
            delay, now = self.plan.failure.delay(record.attempt), self.clock.boot()
            until = record.until if delay is None else now + delay
            self.unsent.refuse(record, reply.reason, until=until, now=self.clock.wall())
        self.tally.refused += len(refused)
        if self.keeping is not None:
            await self.keeping.forget([record for record, _ in refused])
        await self.return_failed([record for record, _ in refused])

    async def _drop(self, gone: Outgoing) -> None:
        await self.lane.ack(gone.records)
        self.log.error(
            "records.dropped", lane=gone.lane, reason=gone.reason, ids=ids_of(gone.records), records=len(gone.records)
        )
        self.tally.dropped += len(gone.records)
        self._settled(gone.records)

    def _settled(self, records: Sequence[Record]) -> None:
        """These have their verdict."""
        self.unsent.settled(records)
        if self.keeping is not None:
            self.keeping.over(records)
        self._let_go(records)

    def _let_go(self, records: Sequence[Record]) -> None:
        """The engine holds these no more."""
        if self.once is not None:
            self.once.forget(records)
        if self.keeping is not None:
            self.keeping.let_go(records)
        self.tally.in_flight -= len(records)
        self.settled.set()


def _left(replies: Sequence[tuple[Record, Reply]]) -> Left:
    if not replies:
        return Left()
    refused = all(reply.said is Said.REFUSED for _, reply in replies)
    return Left([record for record, _ in replies], replies[0][1].reason, refused)


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
