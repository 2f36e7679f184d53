"""Receives run in their own tasks and fill an inbox, as many side by side as the backlog asks for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from headrace.model import Condition, Record
from headrace.observe import Log
from headrace.retry import again
from headrace_connectors.aws import AwsClient
from headrace_connectors.sqs.event import records
from headrace_connectors.sqs.receipts import Receipts, Receive

MOST = 10
"""The most messages that one ReceiveMessage brings."""

LONG_POLL = 20
"""Seconds; the longest that SQS allows: an idle queue costs three empty receives a minute."""

SHORT_POLL = 1
"""Seconds that a receive waits beside others: it is there for a backlog, and ends with it."""

GRACE = 0.5
"""Seconds that a stop waits for the answers that are on their way; less than the second that is promised."""

READING = 5.0
"""Seconds that an answer that has begun may take to be read."""


class Receiver:
    """Never asks for more than the room that `take` was told: a place is reserved for each message first.

    It begins with one receive at a time; each full answer allows one more, an empty one takes all but one back.
    """

    def __init__(
        self,
        client: AwsClient,
        url: str,
        receipts: Receipts,
        *,
        most: int,
        set_condition: Callable[[Condition], None],
        log: Log,
    ) -> None:
        self._client, self._url, self._receipts, self._log = client, url, receipts, log
        self._most, self._set_condition = most, set_condition
        self._allowed = 1
        self._room = 0
        self._reserved = 0
        self._inbox: deque[Record] = deque()
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._running: dict[asyncio.Task[None], Receive] = {}
        self._halted = False
        self._dropped = 0

    def __len__(self) -> int:
        """Messages that were received and not taken."""
        return len(self._inbox)

    async def take(self, limit: int) -> list[Record]:
        """Wait for at least one message, and return at most *limit*."""
        self._room = limit
        self._wanted.set()
        while not self._inbox:
            self._news.clear()
            await self._news.wait()
        self._room = 0  # until the next call says what there is room for
        return [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]

    async def tend(self) -> None:
        """Receive while there is room, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                while not self._halted and len(self._running) < self._allowed and (count := self._free()) > 0:
                    self._begin(group, min(count, MOST))

    def _free(self) -> int:
        return self._room - len(self._inbox) - self._reserved

    def _begin(self, group: asyncio.TaskGroup, count: int) -> None:
        wait = SHORT_POLL if self._running else LONG_POLL
        receive = self._receipts.ask(wait)
        self._reserved += count
        task = group.create_task(self._receive(receive, count, wait))
        self._running[task] = receive
        task.add_done_callback(lambda done: self._ended(done, count))

    def _ended(self, task: asyncio.Task[None], count: int) -> None:
        self._receipts.forget(self._running.pop(task))
        self._reserved -= count
        self._wanted.set()

    async def _receive(self, receive: Receive, count: int, wait: int) -> None:
        async for attempt in again(self._log, "receive.failed"):
            with attempt:
                if self._halted:
                    return
                try:
                    answer = await self._client.call(
                        "ReceiveMessage",
                        receive,
                        QueueUrl=self._url,
                        MaxNumberOfMessages=count,
                        WaitTimeSeconds=wait,
                        VisibilityTimeout=self._receipts.visibility,
                        MessageSystemAttributeNames=["All"],
                        MessageAttributeNames=["All"],
                    )
                except Exception as error:
                    receive.over()
                    if self._halted:
                        self._dropped += 1
                        return
                    self._allowed = 1
                    self._set_condition(Condition("unavailable", str(error)))
                    raise
                self._set_condition(Condition("polling"))
                self._deliver(answer, receive, count)

    def _deliver(self, answer: dict[str, Any], receive: Receive, asked: int) -> None:
        messages: list[dict[str, Any]] = answer.get("Messages") or []
        if not messages:
            self._allowed = 1
            return
        self._receipts.arrived(receive)
        received = records(messages, receive, receive.until)
        self._receipts.hold(receive, received)
        self._inbox.extend(received)
        self._news.set()
        if len(messages) >= asked and self._allowed < self._most:
            self._allowed += 1

    async def halt(self) -> tuple[list[Record], int]:
        """Receive no more. An answer that has begun is read; any other call is dropped within a second.

        Only a lean call knows that its answer has begun (aws.py): the first receive of a process, and one that is asked
        again in full, is dropped if it is not answered within the grace.

        What SQS had picked for a dropped call returns after its visibility time-out. Returns what was received and not
        taken, in the order of its receipt, and how many calls were dropped.
        """
        self._halted = True
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE)
        self._drop([task for task, receive in self._running.items() if not receive.begun])
        if self._running:
            await asyncio.wait(self._running, timeout=READING)
        self._drop(list(self._running))
        left = list(self._inbox)
        self._inbox.clear()
        return left, self._dropped

    def _drop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Cut these off; a call counts, a wait between two calls does not."""
        self._dropped += sum(self._running[task].under_way for task in tasks)
        for task in tasks:
            task.cancel()
