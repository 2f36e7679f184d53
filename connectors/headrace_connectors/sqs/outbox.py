"""Deletes and give-backs: gathered by tens across batches, confirmed entry by entry, tried again within reason."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from headrace.clock import Clock
from headrace.model import Condition, Record
from headrace.observe import Log
from headrace_connectors.aws import AwsClient, AwsError

TENS = 10
"""The most entries that a batch call of SQS takes."""

GATHER = 0.02
"""Seconds that a call with fewer than ten entries waits for more."""

FIRST_WAIT = 0.2
LONGEST_WAIT = 5.0
"""Seconds between two tries of what was not taken."""

PERSISTENCE = 30.0
"""Seconds after which an entry is given up, although its receipt may be renewed for hours yet."""

Entry: TypeAlias = tuple[Record, dict[str, Any]]
Done: TypeAlias = Callable[[Sequence[Record]], None]


class Outbox:
    """Entries of one batch operation, on their way to SQS.

    *confirmed* is told of each entry that SQS answered for; *refused* of each that it will not take, or that could not
    be brought to it while its visibility lasted, and half a minute at most: what waits here is bounded. `put` only
    remembers. At most *calls* calls run side by side.

    *together* keeps what was put together in one call, and lets it wait for nothing (FIFO): were a message deleted and
    the one before it in its group not, the earlier would come again after the later; and its group waits for it. Nor is
    anything sent for a message whose time is over: SQS would refuse it, and another server might take it from the copy
    that has it now.

    `denied` says which right is missing, from a call that was denied to the next that is not.
    """

    def __init__(
        self,
        client: AwsClient,
        operation: str,
        url: str,
        *,
        together: bool,
        calls: int,
        confirmed: Done,
        refused: Done,
        clock: Clock,
        log: Log,
    ) -> None:
        self._client, self._operation, self._url, self._clock, self._log = client, operation, url, clock, log
        self._confirmed, self._refused = confirmed, refused
        self._free = asyncio.Semaphore(calls)
        self._together = together
        self._waiting: deque[list[Entry]] = deque()
        self._news = asyncio.Event()
        self._out = 0
        self.denied: Condition | None = None

    def __len__(self) -> int:
        """Entries that are not yet answered for."""
        return sum(map(len, self._waiting)) + self._out

    def put(self, records: Sequence[Record], **fields: Any) -> None:
        entries = [(record, fields) for record in records]
        size = TENS if self._together else 1
        self._waiting.extend(entries[start : start + size] for start in range(0, len(entries), size))
        self._news.set()

    async def tend(self) -> None:
        """Send until cancelled; what is under way then is put back, for `flush`."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._news.wait()
                if len(self._waiting) < TENS and not self._together:
                    await asyncio.sleep(GATHER)
                await self._begin(group)

    async def flush(self) -> None:
        """Send all that waits, now. Cancelled, it gives the rest up: nothing is forgotten without being counted."""
        try:
            async with asyncio.TaskGroup() as group:
                while self._waiting:
                    await self._begin(group)
        except asyncio.CancelledError:
            while batch := self._take():
                self._give_up(batch)
            raise

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        await self._free.acquire()
        if batch := self._take():
            group.create_task(self._send(batch)).add_done_callback(lambda _: self._free.release())
        else:
            self._free.release()

    def _take(self) -> list[Entry]:
        batch: list[Entry] = []
        while self._waiting and len(batch) + len(self._waiting[0]) <= TENS:
            batch += self._waiting.popleft()
        self._out += len(batch)
        if not self._waiting:
            self._news.clear()
        return batch

    async def _send(self, batch: list[Entry]) -> None:
        """Try until every entry is answered for, or its time is over."""
        wait, last = FIRST_WAIT, self._clock.boot() + PERSISTENCE
        if self._together:
            batch = self._in_time(batch, last)
        try:
            while batch and (batch := await self._try(batch)) and (batch := self._in_time(batch, last)):
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)
        except asyncio.CancelledError:
            self._waiting.appendleft(batch)
            self._news.set()
            self._out -= len(batch)
            raise

    def _in_time(self, batch: list[Entry], last: float) -> list[Entry]:
        """Without the entries whose visibility, or whose *last* moment, is over: these are given up."""
        now = self._clock.boot()
        if over := [entry for entry in batch if min(entry[0].until, last) <= now]:
            self._give_up(over)
            return [entry for entry in batch if min(entry[0].until, last) > now]
        return batch

    def _give_up(self, batch: list[Entry]) -> None:
        self._log.error("batch_call.given_up", operation=self._operation, ids=[record.id for record, _ in batch])
        self._settle([record for record, _ in batch], self._refused)

    async def _try(self, batch: list[Entry]) -> list[Entry]:
        """One call. Every entry of its answer is read; what stands under neither head counts as not done."""
        entries = [
            {"Id": str(n), "ReceiptHandle": record.raw["ReceiptHandle"], **fields}
            for n, (record, fields) in enumerate(batch)
        ]
        try:
            answer = await self._client.call(self._operation, QueueUrl=self._url, Entries=entries)
        except AwsError as error:
            self._log.warning("batch_call.failed", operation=self._operation, error=str(error))
            self.denied = error.denial(self._clock.wall()) or self.denied
            return batch
        self.denied = None
        asked = {entry["Id"]: record for entry, (record, _) in zip(entries, batch, strict=True)}
        done = [asked.pop(entry["Id"]) for entry in answer.get("Successful") or () if entry.get("Id") in asked]
        final: list[Record] = []
        for entry in answer.get("Failed") or ():
            if record := asked.get(entry.get("Id")):
                self._log.warning(
                    "message.refused", operation=self._operation, ids=[record.id], error=entry.get("Code")
                )
                if entry.get("SenderFault", False):
                    final.append(asked.pop(entry["Id"]))
        self._settle(done, self._confirmed)
        self._settle(final, self._refused)
        return [batch[int(number)] for number in asked]

    def _settle(self, records: Sequence[Record], told: Done) -> None:
        self._out -= len(records)
        if records:
            told(records)
