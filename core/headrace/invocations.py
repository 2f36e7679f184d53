"""The lane over a mapping's queue of calls: taken where there is a place, held while the handler runs, then settled."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from uuid import NAMESPACE_URL, uuid5

from headrace.callcare import CallCare
from headrace.calls import Calls, Taken
from headrace.clock import Clock
from headrace.ending import cancelled
from headrace.errors import LedgerError
from headrace.model import KEEP, Answer, Condition, Held, Order, Record, Traits, Unchanged
from headrace.observe import Log, Tally
from headrace.renewing import RENEWALS
from headrace.retry import again, capped
from headrace.takings import Takings

TRAITS = Traits(Order.NONE, redelivers=True)

_REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

POLL = 1.0
"""Seconds between two looks at a queue of which nobody here knows that anything was put."""

COMPARED = 5.0
"""Seconds between two looks at the store's clock."""

LAST = 5.0
"""Seconds that the last writes may take at the end; what is not settled then is run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the last attempt of a call came to, for people; `begun` in Unix seconds, `error` empty when it succeeded."""

    id: str
    begun: float
    seconds: float
    attempt: int
    error: str = ""


class InvocationLane:
    """Calls in no order; one that is not settled comes again, when it is given back or its taking has expired.

    *beside* is what else its source does while it runs; `wake` says that something was put.
    """

    traits = TRAITS
    deadline = math.inf
    epoch = 0
    behind = None

    def __init__(
        self,
        name: str,
        mapping: str,
        queue: Callable[[], Awaitable[Calls]],
        *,
        owner: str,
        ttl: float,
        settled: Callable[[], bool],
        beside: Callable[[], Awaitable[None]],
        tally: Tally,
        clock: Clock,
        log: Log,
    ) -> None:
        self.name = name
        self._mapping, self._queue, self._owner, self._ttl = mapping, queue, owner, ttl
        self._takings = Takings(name, queue, ttl=ttl, settled=settled, clock=clock, log=log)
        self._beside, self._tally, self._clock, self._log = beside, tally, clock, log
        self._condition = Condition("polling", since=clock.wall())
        self.care = CallCare(queue)
        self._inbox: deque[Record] = deque()
        self._out: dict[Taken, Record] = {}
        self._runs: dict[Taken, Run] = {}
        self._settled: list[Taken] = []
        self._returned: list[tuple[Taken, float, bool]] = []
        self._news, self._work = asyncio.Event(), asyncio.Event()
        self._taking: asyncio.Task[None] | None = None
        self._ahead, self._compared = 0.0, -math.inf
        self._halted = self._closed = False

    @property
    def held(self) -> Held:
        return Held(len(self._out), sum(record.size for record in self._out.values()))

    @property
    def condition(self) -> Condition:
        return self._condition

    @property
    def idle(self) -> bool:
        """Nothing of it is here."""
        return not self._takings

    @property
    def doubt(self) -> asyncio.Event | None:
        return self._takings.doubt

    def suspect(self) -> None:
        """The store may be another."""
        self._takings.suspect()

    def wake(self) -> None:
        """Something was put."""
        self._news.set()

    @staticmethod
    def request_id(records: Sequence[Record]) -> str:
        """The same for every attempt of a call, as Lambda's: its id, if that is one."""
        (record,) = records
        taken: Taken = record.token
        if _REQUEST_ID.fullmatch(taken.call.id):
            return taken.call.id
        return str(uuid5(NAMESPACE_URL, f"headrace:{taken.mapping}:{taken.call.id}:{taken.accepted}"))

    def heard(self, records: Sequence[Record], answer: Answer) -> None:
        """What an attempt came to."""
        (record,) = records
        self._runs[record.token] = Run(
            id=record.id,
            begun=self._clock.wall() - answer.duration,
            seconds=answer.duration,
            attempt=record.attempt,
            error=str(answer.failure or ""),
        )

    async def tend(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._takings.hold())
            group.create_task(self._write())
            group.create_task(_run(self._beside))

    async def fetch(self, limit: int) -> Sequence[Record]:
        while True:
            if self._inbox:
                served = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
                self._out |= {record.token: record for record in served}
                return served
            self._news.clear()
            if self._taking is None or self._taking.done():
                self._taking = asyncio.ensure_future(self._take(limit))
            await asyncio.shield(self._taking)
            if not self._inbox:
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._news.wait()

    async def _take(self, limit: int) -> None:
        """To its end, whoever waits for it: what was taken is here then."""
        async for attempt in again(self._log, "calls.not_taken", wait=capped(self._ttl / RENEWALS), lane=self.name):
            with attempt:
                try:
                    taken = await self._takings.take(self._mapping, self._owner, limit)
                    if taken:
                        await self._compare_clocks(await self._queue())
                except LedgerError as error:
                    self._say("unavailable", str(error))
                    raise
        self._say("polling")
        at_work = {one.call.id: one for one in self._out}
        for one, until in taken.items():
            if former := at_work.get(one.call.id):
                self._go_on(former, one, until)
                continue
            at = max(one.accepted, one.call.due) - self._ahead  # one that was put to come later is no older for that
            record = Record(one.call.id, one, at, len(one.call.event), token=one, attempt=one.attempt)
            record.until = until
            self._takings.add(one, record)
            self._inbox.append(record)

    def _go_on(self, former: Taken, taken: Taken, until: float) -> None:
        """A call that the store gives out anew, as it lost who had it, is at work here: it goes on under *taken*."""
        record = self._out[taken] = self._out.pop(former)
        self._takings.forget(former)
        record.token, record.until = taken, until
        self._takings.add(taken, record)

    async def _compare_clocks(self, queue: Calls) -> None:
        """How far the store's clock is ahead of ours, by which ages are reckoned; asked seldom, for both go on."""
        if self._clock.boot() - self._compared > COMPARED:
            self._ahead = await queue.now() - self._clock.wall()
            self._compared = self._clock.boot()

    def _say(self, state: str, reason: str = "") -> None:
        if (self._condition.state, self._condition.reason) != (state, reason):
            self._condition = Condition(state, reason, self._clock.wall())

    async def ack(self, records: Sequence[Record], memo: bytes | Unchanged | None = KEEP) -> None:  # noqa: ARG002
        self._let_go(records)
        self._settled += [record.token for record in records]
        self._work.set()

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:
        self._let_go(records)
        for record in records:
            if delay is None:  # its own time: when the taking has expired
                self._forget(record.token)
            else:
                self._returned.append((record.token, delay, record.token in self._runs))
        self._work.set()

    def _let_go(self, records: Sequence[Record]) -> None:
        for record in records:
            del self._out[record.token]

    def _forget(self, taken: Taken) -> None:
        self._takings.forget(taken)
        self._runs.pop(taken, None)

    async def leave(self) -> float:
        """Nobody takes a queue away."""
        await asyncio.Event().wait()
        return 0.0

    async def halt(self) -> int:
        """What was taken and not handed out goes back, and its attempt does not count."""
        if self._taking is not None:
            await asyncio.wait({self._taking}, timeout=LAST)
            await cancelled(self._taking)
        left, self._inbox = [record.token for record in self._inbox], deque()
        if left:
            with suppress(LedgerError, TimeoutError):
                async with asyncio.timeout(LAST):
                    await (await self._queue()).put_back(left, 0.0, begun=False)
        for taken in left:
            self._forget(taken)
        return len(left)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self.halt()
            try:
                async with asyncio.timeout(LAST):
                    await self._written()
            except (TimeoutError, LedgerError) as error:
                self._log.warning(
                    "calls.not_settled",
                    lane=self.name,
                    ids=[one.call.id for one in self._settled[:10]],
                    error=str(error),
                )

    async def _write(self) -> None:
        """Settle and give back what was decided, as it comes, until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            async for attempt in again(self._log, "calls.not_settled", wait=capped(POLL), lane=self.name):
                with attempt:
                    await self._written()

    async def _written(self) -> None:
        settled, returned = list(self._settled), list(self._returned)
        queue = await self._queue()
        if settled:
            notes = {one.call.id: json.dumps(asdict(self._runs[one])) for one in settled if one in self._runs}
            lost = await queue.settle(settled, notes)
            self._tally.deleted += len(settled) - len(lost)
            self._tally.failed_deletes += len(lost)  # it runs again: another has it
            self._settled = self._settled[len(settled) :]
            for taken in settled:
                self._forget(taken)
        for delay, begun in sorted({(delay, begun) for _, delay, begun in returned}):
            some = [one for one, late, was in returned if (late, was) == (delay, begun)]
            await queue.put_back(some, delay, begun=begun)  # what no handler saw pays no attempt
        self._returned = self._returned[len(returned) :]
        for taken, _, _ in returned:
            self._forget(taken)
        if returned:
            self.wake()


async def _run(beside: Callable[[], Awaitable[None]]) -> None:
    await beside()
