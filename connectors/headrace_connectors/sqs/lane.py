"""A queue as a lane: receive, hold, delete or give back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from headrace.clock import Clock
from headrace.model import KEEP, Condition, Held, Order, Record, Traits, Unchanged
from headrace.observe import Log, Tally
from headrace_connectors.aws import AwsClient
from headrace_connectors.sqs.event import records
from headrace_connectors.sqs.inbox import GroupedInbox, Inbox
from headrace_connectors.sqs.outbox import Outbox
from headrace_connectors.sqs.queue import Queue
from headrace_connectors.sqs.receipts import Receipts
from headrace_connectors.sqs.receiver import Receiver, ToRecords

TRAITS = Traits(Order.NONE, redelivers=True)
FIFO_TRAITS = Traits(Order.KEY, redelivers=True)


class SqsLane:
    """One queue. Nothing is deleted before `ack`; what is given back is made visible at once, in receive order.

    What is fetched together from a FIFO queue came with one receive. SQS gives out no more of its groups until all of
    it is deleted or visible again.
    """

    deadline = math.inf
    epoch = 0
    behind = None
    care = doubt = None

    def __init__(
        self,
        name: str,
        client: AwsClient,
        queue: Queue,
        *,
        visibility: int,
        ceiling: int,
        concurrency: int,
        inbox: Inbox | GroupedInbox,
        to_records: ToRecords = records,
        tally: Tally,
        clock: Clock,
        log: Log,
    ) -> None:
        self.name = name
        fifo = isinstance(inbox, GroupedInbox)
        self.traits = FIFO_TRAITS if fifo else TRAITS
        self._tally, self._clock = tally, clock
        self._condition = Condition("polling", since=clock.wall())
        self._records = self._nbytes = 0
        self._closed = False
        self._receipts = Receipts(client, queue.url, visibility=visibility, ceiling=ceiling, clock=clock, log=log)
        self._receiver = Receiver(
            client,
            queue.url,
            self._receipts,
            inbox,
            most=concurrency,
            fetch_again=fifo,
            to_records=to_records,
            set_condition=self._set_condition,
            log=log,
        )
        calls = min(concurrency, 16)
        self._deletes = Outbox(
            client,
            "DeleteMessageBatch",
            queue.url,
            together=fifo,
            calls=calls,
            confirmed=self._deleted,
            refused=self._not_deleted,
            clock=clock,
            log=log,
        )
        self._returns = Outbox(
            client,
            "ChangeMessageVisibilityBatch",
            queue.url,
            together=fifo,
            calls=1,
            confirmed=lambda _: None,
            refused=lambda _: None,
            clock=clock,
            log=log,
        )

    @property
    def held(self) -> Held:
        return Held(self._records, self._nbytes)

    @property
    def condition(self) -> Condition:
        """How it receives; or, where that goes well, which right is missing for what follows."""
        denied = (duty.denied for duty in (self._deletes, self._returns, self._receipts))
        return next((one for one in denied if one and self._condition.ready), self._condition)

    @property
    def idle(self) -> bool:
        """Nothing is held, and nothing is on its way to or from the queue."""
        return not (self._records or len(self._receiver) or len(self._deletes) or len(self._returns))

    def _set_condition(self, condition: Condition) -> None:
        if (condition.state, condition.reason) != (self._condition.state, self._condition.reason):
            self._condition = Condition(condition.state, condition.reason, self._clock.wall())

    async def tend(self) -> None:
        async with asyncio.TaskGroup() as group:
            for duty in (self._receipts, self._receiver, self._deletes, self._returns):
                group.create_task(duty.tend())

    async def fetch(self, limit: int) -> Sequence[Record]:
        records = await self._receiver.take(limit)
        self._records += len(records)
        self._nbytes += sum([record.size for record in records])
        return records

    async def ack(self, records: Sequence[Record], memo: bytes | Unchanged | None = KEEP) -> None:  # noqa: ARG002
        self._let_go(records)
        self._deletes.put(records)

    async def nack(self, records: Sequence[Record], delay: float | None) -> None:
        self._let_go(records)
        self._receipts.release(records)
        if delay is not None:
            self._returns.put(records, VisibilityTimeout=min(math.ceil(delay), 43200))

    async def leave(self) -> float:
        """Nobody takes a queue away."""
        await asyncio.Event().wait()
        return 0.0

    async def halt(self) -> int:
        left, dropped = await self._receiver.halt()
        self._tally.dropped_receives += dropped
        self._receipts.release(left)
        self._returns.put(left, VisibilityTimeout=0)
        return len(left)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            async with asyncio.TaskGroup() as group:  # side by side: a server that is slow with one has time for both
                group.create_task(self._deletes.flush())
                group.create_task(self._returns.flush())

    def _let_go(self, records: Sequence[Record]) -> None:
        self._records -= len(records)
        self._nbytes -= sum([record.size for record in records])

    def _deleted(self, records: Sequence[Record]) -> None:
        self._receipts.release(records)
        self._tally.deleted += len(records)

    def _not_deleted(self, records: Sequence[Record]) -> None:
        """A duplicate to come: the message was handled, and returns with its visibility."""
        self._receipts.release(records)
        self._tally.failed_deletes += len(records)
