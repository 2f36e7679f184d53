"""Receives run in their own tasks and fill an inbox, as many side by side as the backlog asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from headrace.model import Condition, Record
from headrace.observe import Log
from headrace.retry import again
from headrace_connectors.aws import AwsClient, AwsError
from headrace_connectors.sqs.event import records
from headrace_connectors.sqs.inbox import GroupedInbox, Inbox
from headrace_connectors.sqs.receipts import Receipts, Receive

ToRecords: TypeAlias = Callable[[Sequence[dict[str, Any]], object, float], list[Record]]
"""The records of an answer's messages: `event.records`, or `event.unwrapped_records`."""

LONG_POLL = 20
"""Seconds; the longest that SQS allows: an idle queue costs three empty receives a minute."""

SHORT_POLL = 1
"""Seconds that a receive waits beside others: it is there for a backlog, and ends with it."""

GRACE = 0.5
"""Seconds that a stop waits for the answers that are on their way; less than the second that is promised."""

READING = 5.0
"""Seconds that an answer that has begun may take to be read."""


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One ReceiveMessage: its clock, and what was asked."""

    receive: Receive
    asked: dict[str, Any]


class Receiver:
    """Never asks for more than the room that `take` was told: a place is reserved for each message first.

    It begins with one receive at a time; each full answer allows one more, an empty one takes all but one back.

    With *fetch_again* (FIFO) every receive has a ReceiveRequestAttemptId: SQS answers a call that is tried again under
    it with the same messages, for five minutes, so that a lost answer does not lock its groups until their visibility
    runs out.
    """

    def __init__(
        self,
        client: AwsClient,
        url: str,
        receipts: Receipts,
        inbox: Inbox | GroupedInbox,
        *,
        most: int,
        fetch_again: bool = False,
        to_records: ToRecords = records,
        set_condition: Callable[[Condition], None],
        log: Log,
    ) -> None:
        self._client, self._url, self._receipts, self._log = client, url, receipts, log
        self._most, self._to_records, self._set_condition = most, to_records, set_condition
        self._allowed = 1
        self._room = 0
        self._reserved = 0
        self._inbox, self._fetch_again = inbox, fetch_again
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._running: dict[asyncio.Task[None], _Call] = {}
        self._cut: list[_Call] = []
        self._halted = False

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
        return self._inbox.take(limit)

    async def tend(self) -> None:
        """Receive while there is room, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                while not self._halted and len(self._running) < self._allowed and (count := self._free()) > 0:
                    self._begin(group, count)

    def _free(self) -> int:
        return self._inbox.free(self._room, self._reserved)

    def _begin(self, group: asyncio.TaskGroup, count: int) -> None:
        wait = SHORT_POLL if self._running else LONG_POLL
        call = _Call(self._receipts.ask(wait), self._asking(count, wait))
        reserved = self._inbox.reserve(count)
        self._reserved += reserved
        task = group.create_task(self._receive(call))
        self._running[task] = call
        task.add_done_callback(lambda done: self._ended(done, reserved))

    def _ended(self, task: asyncio.Task[None], reserved: int) -> None:
        self._receipts.forget(self._running.pop(task).receive)
        self._reserved -= reserved
        self._wanted.set()

    async def _receive(self, call: _Call) -> None:
        failed = False
        async for attempt in again(self._log, "receive.failed"):
            with attempt:
                if self._halted:
                    self._cut += [call] if failed and self._fetch_again else []
                    return
                try:
                    answer = await self._client.call("ReceiveMessage", call.receive, **call.asked)
                except Exception as error:
                    call.receive.over()
                    failed = True
                    if self._halted:
                        self._cut.append(call)
                        return
                    self._allowed = 1
                    self._set_condition(Condition("unavailable", str(error)))
                    raise
                self._set_condition(Condition("polling"))
                self._deliver(answer, call)

    def _asking(self, count: int, wait: int) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": count,
            "WaitTimeSeconds": wait,
            "VisibilityTimeout": self._receipts.visibility,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        if self._fetch_again:
            asked["ReceiveRequestAttemptId"] = str(uuid4())
        return asked

    def _deliver(self, answer: dict[str, Any], call: _Call) -> None:
        messages: list[dict[str, Any]] = answer.get("Messages") or []
        if not messages:
            self._allowed = 1
            return
        receive = call.receive
        self._receipts.arrived(receive)
        received = self._to_records(messages, receive, receive.until)
        self._receipts.hold(receive, received)
        self._inbox.put(received)
        self._news.set()
        if len(messages) >= call.asked["MaxNumberOfMessages"] and self._allowed < self._most:
            self._allowed += 1

    async def halt(self) -> tuple[list[Record], int]:
        """Receive no more. An answer that has begun is read; any other call is dropped within a second.

        Only a lean call knows that its answer has begun (aws.py): the first receive of a process, and one that is asked
        again in full, is dropped if it is not answered within the grace.

        What SQS had picked for a dropped call returns after its visibility time-out; in a FIFO queue it is fetched
        again. Returns what was received and not taken, in the order of its receipt, and how many calls were dropped.
        """
        self._halted = True
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE)
        self._drop([task for task, call in self._running.items() if not call.receive.begun])
        if self._running:
            await asyncio.wait(self._running, timeout=READING)
        self._drop(list(self._running))
        if self._fetch_again:
            done = await asyncio.gather(*map(self._fetch, self._cut))
            self._cut = [call for call, fetched in zip(self._cut, done, strict=True) if not fetched]
        return self._inbox.clear(), len(self._cut)

    def _drop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Cut these off. A call counts; a wait between two calls only where the failed one may be fetched again."""
        calls = [self._running[task] for task in tasks]
        self._cut += [call for call in calls if call.receive.under_way or self._fetch_again]
        for task in tasks:
            task.cancel()

    async def _fetch(self, cut: _Call) -> bool:
        """Bring what SQS had picked for a call that was cut off, without waiting for more."""
        call = _Call(self._receipts.ask(0), {**cut.asked, "WaitTimeSeconds": 0})
        try:
            async with asyncio.timeout(READING):
                answer = await self._client.call("ReceiveMessage", call.receive, **call.asked)
        except (AwsError, TimeoutError) as error:
            self._log.warning("receive.failed", error=str(error) or "no answer in time")
            return False
        finally:
            self._receipts.forget(call.receive)
        self._deliver(answer, call)
        return True
