"""Carry one batch from its first attempt to a verdict for each of its records."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from headrace.destination import SUCCESS
from headrace.ending import side_by_side
from headrace.model import KEEP, Answer, Failure, Order, Record, Unchanged, Unreadable
from headrace.outgoing import Outcome, Outgoing, ids_of
from headrace.pages import cut
from headrace.policy import EXHAUSTED, EXPIRED, UNREADABLE, Bisect, Discard, GiveBack, Retry, halves, part
from headrace.trying import WORDS, Trying
from headrace.verdict import Kind, Verdict
from headrace.windows import Tumbling


class Piece(NamedTuple):
    """Records of one batch that are tried together: next as attempt number *attempt*; *last* is how these ended last.

    A piece that comes of another has a count of its own, but its records' last invocation is the other's.
    """

    records: Sequence[Record]
    attempt: int = 1
    last: Outcome | None = None


LEAST_PAUSE = 0.1
"""Seconds between two attempts at the end of a window, whose number nothing limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Trying):
    """What every batch of a lane shares: the lane, how it is tried, and where it is counted."""

    async def carry(self, records: Sequence[Record], wake: Callable[[], None] = lambda: None) -> None:
        """Try *records* until each has its verdict, or the lane is to stop; *wake* says that places have changed.

        What an earlier process had of them, and could not tell of, is not tried again.
        """
        for run in [records] if self.keeping is None else await self.keeping.part(records, self.plan.failure):
            await (self._resume(run) if isinstance(run, Outgoing) else self._carry(run, wake))

    async def _resume(self, gone: Outgoing) -> None:
        """Go on with records that have had their last attempt."""
        pieces = deque([Piece(gone.records)])
        while pieces:
            if self.stopping.is_set():
                await self.give_back([record for more in pieces for record in more.records], 0.0)
                return
            if gone.reason != SUCCESS or gone.outcome is None:
                await self.conclude_failure(gone)
                return
            piece = await self._next(pieces)
            if piece.records:
                await self.conclude_success(replace(gone, records=piece.records), self._memo(gone.outcome))

    async def _carry(self, records: Sequence[Record], wake: Callable[[], None]) -> None:
        """Try what is to be tried.

        The pieces of a batch wait on a stack of the batch's own, so that order holds and no piece overtakes another.
        A call that timed out but still runs in its thread keeps the place at the handler. In a sequence it also keeps
        its records from being tried again beside it; in key order they are not let go before it has ended.
        """
        by_key, spoiled = self.lane.traits.order is Order.KEY, set[str | None]()
        tried = self.lane.care.tried(records[0]) if self.lane.care else 0
        if tried and self.plan.failure.exhausted(tried):
            late = self.plan.failure.expired(records, self.clock.wall())
            await self.give_up(records, EXPIRED if late else EXHAUSTED, tried, _killed(tried))
            return
        parts = cut(records, self.plan.batch.nbytes) if by_key else [records]
        pieces = deque(Piece(part, tried + 1) for part in parts)
        while pieces:
            if self.stopping.is_set():
                await self.give_back([record for more in pieces for record in more.records], 0.0)
                return
            if not await self.relieve():
                continue
            piece, attempt, last = await self._next(pieces)
            if spoiled:
                piece = await self._without(spoiled, piece)
            if expired := self.plan.failure.expired(piece, self.clock.wall()):
                await self.give_up(piece[:expired], EXPIRED, attempt, last)
                # a destination takes its time: look at the rest anew
                pieces.appendleft(Piece(piece[expired:], attempt, last))
                continue
            piece, outcome = await self.handle(piece, attempt, spoiled)
            if outcome is None:
                continue
            if by_key:
                spoiled |= {record.key for record in piece if outcome.verdict.fails(record.id)}
                await self._linger(outcome.answer, wake)
            pieces.extendleft(reversed(await self._settle(piece, attempt, outcome)))
            if not by_key:
                await self._linger(outcome.answer, wake)

    async def _next(self, pieces: deque[Piece]) -> Piece:
        """The first of *pieces*, without what was run before, which is settled, and what waits for another of its key.

        That becomes the first of those that are left; where nothing came of it, some time has passed.
        """
        piece = pieces.popleft()
        if self.once is None:
            return piece
        parted = await self.once.part(piece.records)
        await self.deduplicate(parted.seen)
        if parted.later:
            pieces.appendleft(piece._replace(records=parted.later))
            if not parted.ready and not parted.seen:
                why = f"{len(parted.later)} records wait for others of their keys, which are run elsewhere"
                with self.doing.now("waiting", why, self.clock.wall()):
                    await self._pause(parted.wait)
        return piece._replace(records=parted.ready)

    async def _without(self, spoiled: AbstractSet[str | None], records: Sequence[Record]) -> Sequence[Record]:
        """Give back what follows a record of its key that failed or lapsed in an earlier piece of the same batch."""
        await self.give_back([record for record in records if record.key in spoiled], None)
        return [record for record in records if record.key not in spoiled]

    def _memo(self, outcome: Outcome) -> bytes | Unchanged:
        """The state of a tumbling window that came with the answer, for the records that it settled."""
        return KEEP if self.tumbling is None else self.tumbling.advance(outcome.answer.value)

    async def relieve(self) -> bool:
        """Hand over a state that has grown too large, and begin a fresh one; false when the lane is to stop first."""
        if self.tumbling is None or not self.tumbling.overflows:
            return True
        if not await self._invoke_alone(self.tumbling, final=False):
            return False
        await self.lane.ack([], self.tumbling.restart())
        return True

    async def conclude(self) -> None:
        """Hand over what came of a window that is over; nothing, when nothing was settled in it."""
        if self.tumbling is None or self.tumbling.open is None:
            return
        if await self.relieve() and await self._invoke_alone(self.tumbling, final=True):
            self.tumbling.close()
            await self.lane.ack([], None)

    async def _invoke_alone(self, tumbling: Tumbling, *, final: bool) -> bool:
        """Invoke without records until it succeeds: no policy gives up a state. False if the lane is to stop first."""
        attempt = 0
        while not self.stopping.is_set():
            attempt += 1
            if self.lane.care is not None:  # a call without records that kills its process is no record's doing
                await self.lane.care.unmark()
            await self.still_ours([], set())
            with self.doing.now("handling", f"the end of a window, attempt {attempt}", self.clock.wall()):
                async with self.under_way.beside():
                    outcome = await self.attempt([], attempt, tumbling.event(final=final, early=not final))
            self.tally.duration.add(outcome.answer.duration)
            await self._linger(outcome.answer, lambda: None)
            if outcome.verdict.kind is Kind.SUCCESS:
                return True
            self.report([], [], attempt, outcome)
            why = f"the end of a window, attempt {attempt + 1} next: {outcome.verdict.failure}"
            with self.doing.now("retrying", why[:WORDS], self.clock.wall()):
                await self._pause(self.plan.failure.delay(attempt) or LEAST_PAUSE)
        return False

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
            with self.doing.now("handling", "timed out, and still runs in its thread", self.clock.wall()):
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.slots.hung -= 1
            for wait in waits:
                wait.cancel()

    async def _settle(self, records: Sequence[Record], attempt: int, outcome: Outcome) -> list[Piece]:
        """Settle what can be settled after an attempt; the pieces that are to be tried again, in order."""
        match outcome.verdict.kind:
            case Kind.SUCCESS:
                await self.succeed(records, self._memo(outcome), outcome, attempt)
                return []
            case Kind.LAPSED:  # to be parted from what is still ours
                return [Piece(records, attempt)]
            case Kind.UNREADABLE:
                return await self._without_unreadable(records, attempt)
            case _:
                return await self._after_failure(records, attempt, outcome)

    async def _without_unreadable(self, records: Sequence[Record], attempt: int) -> list[Piece]:
        """Give up what no event can show, each reason for itself, and try the rest."""
        rest: list[Record] = []
        unreadable: dict[str, list[Record]] = {}
        for record in records:
            (unreadable.setdefault(record.why, []) if isinstance(record, Unreadable) else rest).append(record)
        for why, some in unreadable.items():
            self.log.error("records.unreadable", lane=self.lane.name, ids=ids_of(some), records=len(some), error=why)
            await self.give_up(some, UNREADABLE, attempt, _unreadable(why))
        return [Piece(rest, attempt)] if rest else []

    async def _after_failure(self, records: Sequence[Record], attempt: int, outcome: Outcome) -> list[Piece]:
        """The same of a batch that failed."""
        verdict, traits, failure = outcome.verdict, self.lane.traits, self.plan.failure
        good, bad = (
            part(records, verdict.failed, traits.order, strict=failure.strict)
            if verdict.kind is Kind.PARTIAL
            else ([], records)
        )
        self.report(records, bad, attempt, outcome)
        if self.once is not None:
            await self.once.release(bad)
        decision = failure.decide(traits, failed=len(bad), attempt=attempt, progress=bool(good))
        if isinstance(decision, GiveBack):
            await side_by_side(self.succeed(good, KEEP, outcome, attempt), self._leave(bad, attempt, outcome))
            return []
        if good:
            await self.succeed(good, self._memo(outcome), outcome, attempt)
        match decision:
            case Bisect():
                return [Piece(half, last=outcome) for half in halves(bad)]
            case Retry(delay, next_attempt):
                why = (
                    f"batch at {bad[0].id}, attempt {next_attempt} next: {outcome.verdict.failure or 'named as failed'}"
                )
                with self.doing.now("retrying", why[:WORDS], self.clock.wall()):
                    await self._pause(delay)
                return [Piece(bad, next_attempt, outcome)]
            case Discard(reason):
                await self.give_up(bad, reason, attempt, outcome)
        return []

    async def _leave(self, bad: Sequence[Record], attempt: int, outcome: Outcome) -> None:
        """To a source that redelivers: each pays for itself, and those that have paid all are given up."""
        failure, verdict = self.plan.failure, outcome.verdict
        spent, rest = failure.spent(bad, verdict.failed if verdict.kind is Kind.PARTIAL else None)
        late, rest = failure.too_late(rest, self.clock.wall())
        if self.keeping is not None:
            await self.keeping.keep_last(rest, attempt, outcome)
        await self.return_failed(rest)  # first: it need not wait for a destination
        for gone, why in ((spent, EXHAUSTED), (late, EXPIRED)):
            if gone:
                await self.give_up(gone, why, attempt, outcome)

    async def _pause(self, delay: float) -> None:
        """Wait *delay*, jittered, but no longer than until the lane is to stop."""
        if delay <= 0:
            return
        try:
            async with asyncio.timeout(delay * random.uniform(0.5, 1)):
                await self.stopping.wait()
        except TimeoutError:
            pass


def _killed(attempts: int) -> Outcome:
    """What a record came to whose last attempt ended with its process; the type is Lambda's for that."""
    message = f"the process was lost during the last of {attempts} attempts at this record alone"
    failure = Failure(type="Runtime.ExitError", message=message)
    return Outcome(Answer(request_id="", duration=0.0, failure=failure), Verdict(Kind.ERROR, failure=failure))


def _unreadable(why: str) -> Outcome:
    """What records came to that no event can show."""
    answer = Answer(request_id="", duration=0.0, failure=Failure(type="Unreadable", message=why))
    return Outcome(answer, Verdict(Kind.UNREADABLE, failure=answer.failure))
