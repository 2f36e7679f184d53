"""A lane over a queue in memory: the duties of a connector's lane, and the faults that an engine must bear."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence

from headrace.model import KEEP, Condition, Held, LaneLost, Order, Record, Traits, Unchanged
from headrace.testing.queue import MOST, MemoryQueue, Message


class MemoryQueueLane:
    """Receives what is asked for, at most `most`, or always that with `ahead`; renews and deletes in `tend`.

    Faults for tests: `lose()` gives the queue to another owner; `ask_to_leave(seconds)` announces a planned move;
    `freeze()` is a process that was stopped, and never does anything again; `renewing = False` refuses renewals.
    `acked` and `nacked` are the history, in the order of the calls.
    """

    epoch = 0
    behind = None

    def __init__(
        self,
        queue: MemoryQueue,
        *,
        name: str = "queue",
        ahead: bool = False,
        most: int = MOST,
        order: Order | None = None,
    ) -> None:
        self.name = name
        self.traits = Traits(order or (Order.KEY if queue.fifo else Order.NONE), redelivers=True)
        self.deadline = math.inf
        self.care = self.doubt = None
        self.renewing = True
        self.failed_deletes = 0
        self.acked: list[str] = []
        self.nacked: list[tuple[str, float | None]] = []
        self._queue, self._ahead, self._most = queue, ahead, most
        self._inbox: deque[Record] = deque()
        self._held: dict[Record, None] = {}
        self._settled: list[tuple[Record, float | None, bool]] = []  # record, delay, delete
        self._news = asyncio.Event()
        self._leaving = asyncio.Event()
        self._seconds = 0.0
        self._lost = self._frozen = self._halted = False

    @property
    def held(self) -> Held:
        return Held(len(self._held), sum(record.size for record in self._held))

    @property
    def condition(self) -> Condition:
        return Condition("lost" if self._lost else "polling", since=self._queue.clock.wall())

    def lose(self) -> None:
        self._lost = True
        self._seconds = 0.0
        self._leaving.set()

    def ask_to_leave(self, seconds: float) -> None:
        self._seconds = seconds
        self._leaving.set()

    def freeze(self) -> None:
        self._frozen = True

    async def tend(self) -> None:
        """Delete and give back what was settled, at once; renew what is held, once half its visibility is over."""
        while True:
            try:
                async with asyncio.timeout(self._queue.visibility / 4):  # so that a beat just short of half is no miss
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            self._settle()
            self._renew()

    def _settle(self) -> None:
        if self._frozen or self._lost or self._queue.away:
            return
        settled, self._settled = self._settled, []
        for record, delay, delete in settled:
            message, receipt = record.token
            if delete:
                self.failed_deletes += not self._queue.delete(message, receipt)
            elif delay is not None:
                self._queue.hide(message, receipt, delay)

    def _renew(self) -> None:
        """Nothing before half its time has gone by."""
        if self._frozen or self._lost or self._queue.away or not self.renewing:
            return
        now, visibility = self._queue.clock.boot(), self._queue.visibility
        for record in (*self._held, *self._inbox):
            message, receipt = record.token
            if record.until - now <= visibility / 2 and self._queue.hide(message, receipt, visibility):
                record.until = now + visibility

    async def fetch(self, limit: int) -> Sequence[Record]:
        self._still_ours()
        while not self._inbox or self._frozen or self._halted:
            await self._queue.arrival()
            if self._frozen or self._halted:
                await asyncio.Event().wait()
            self._still_ours()
            if self._queue.away:
                await asyncio.sleep(1)
            else:
                received = self._queue.receive(self._most if self._ahead else min(limit, self._most))
                self._inbox.extend([self._record(message) for message in received])
        records = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
        self._held.update(dict.fromkeys(records))
        return records

    def _record(self, message: Message) -> Record:
        raw = {"id": message.id, "body": message.body, "key": message.key, "received": message.received}
        token = (message, message.receipt)
        size = len(message.body) + 100
        return Record(message.id, raw, message.sent, size, message.key, token, message.received, message.visible_at)

    async def ack(self, records: Sequence[Record], memo: bytes | Unchanged | None = KEEP) -> None:  # noqa: ARG002
        self._still_ours()
        self.acked.extend(record.id for record in records)
        self._remember([(record, None, True) for record in records])

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:
        self._still_ours()
        self.nacked.extend((record.id, delay) for record in records)
        self._remember([(record, delay, False) for record in records])

    def _remember(self, settled: list[tuple[Record, float | None, bool]]) -> None:
        for record, _, _ in settled:
            del self._held[record]  # a record that is settled twice, or was never handed out, is the engine's fault
        self._settled.extend(settled)
        self._news.set()

    def _still_ours(self) -> None:
        if self._lost:
            raise LaneLost(self.name)

    async def leave(self) -> float:
        await self._leaving.wait()
        return self._seconds

    async def halt(self) -> int:
        self._halted = True
        if self._lost:
            return 0
        given_back = list(self._inbox)
        self._inbox.clear()
        self._settled.extend((record, 0.0, False) for record in given_back)
        self._news.set()
        return len(given_back)

    async def close(self) -> None:
        """What is still held, and what was read ahead and not halted, is left to its visibility."""
        self._settle()
