"""Deletes and give-backs: gathered by tens across batches, confirmed entry by entry, tried again within reason."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from headrace.model import Record
from headrace.observe import Log
from headrace_connectors.aws import AwsClient, AwsError

TENS = 10
"""The most entries that a batch call of SQS takes."""

GATHER = 0.02
"""Seconds that a call with fewer than ten entries waits for more."""

TRIES = 5

Done: TypeAlias = Callable[[Sequence[Record]], None]


class Outbox:
    """Entries of one batch operation, on their way to SQS.

    *confirmed* is told of each entry that SQS answered for; *refused* of each that it will not take, or that could not
    be brought to it in five tries. `put` only remembers.
    """

    def __init__(
        self, client: AwsClient, operation: str, url: str, *, calls: int, confirmed: Done, refused: Done, log: Log
    ) -> None:
        self._client, self._operation, self._url, self._log = client, operation, url, log
        self._confirmed, self._refused = confirmed, refused
        self._calls = calls
        self._waiting: deque[tuple[Record, dict[str, Any]]] = deque()
        self._news = asyncio.Event()
        self._out = 0
        self._closing = False

    def __len__(self) -> int:
        """Entries that are not yet answered for."""
        return len(self._waiting) + self._out

    def put(self, records: Sequence[Record], **fields: Any) -> None:
        self._waiting.extend((record, fields) for record in records)
        self._news.set()

    async def tend(self) -> None:
        """Send until cancelled; what is under way then is put back, for `flush`."""
        free = asyncio.Semaphore(self._calls)
        async with asyncio.TaskGroup() as group:
            while True:
                await self._news.wait()
                if len(self._waiting) < TENS:
                    await asyncio.sleep(GATHER)
                await free.acquire()
                if batch := self._take():
                    group.create_task(self._send(batch)).add_done_callback(lambda _: free.release())
                else:
                    free.release()

    async def flush(self) -> None:
        """Send all that waits, now. Cancelled, it gives the rest up: nothing is forgotten without being counted."""
        try:
            async with asyncio.TaskGroup() as group:
                while batch := self._take():
                    group.create_task(self._send(batch))
        except asyncio.CancelledError:
            while batch := self._take():
                self._give_up(batch)
            raise

    def _take(self) -> list[tuple[Record, dict[str, Any]]]:
        batch = [self._waiting.popleft() for _ in range(min(TENS, len(self._waiting)))]
        self._out += len(batch)
        if not self._waiting:
            self._news.clear()
        return batch

    async def _send(self, batch: list[tuple[Record, dict[str, Any]]]) -> None:
        try:
            for _ in range(TRIES):
                batch = await self._try(batch)
                if not batch:
                    return
                await asyncio.sleep(0.2)
            self._give_up(batch)
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            self._out -= len(batch)
            raise

    def _give_up(self, batch: list[tuple[Record, dict[str, Any]]]) -> None:
        self._log.error("batch_call.given_up", operation=self._operation, ids=[record.id for record, _ in batch])
        self._settle([record for record, _ in batch], self._refused)

    async def _try(self, batch: list[tuple[Record, dict[str, Any]]]) -> list[tuple[Record, dict[str, Any]]]:
        """One call. Every entry of its answer is read; what stands under neither head counts as not done."""
        entries = [
            {"Id": str(n), "ReceiptHandle": record.raw["ReceiptHandle"], **fields}
            for n, (record, fields) in enumerate(batch)
        ]
        try:
            answer = await self._client.call(self._operation, QueueUrl=self._url, Entries=entries)
        except AwsError as error:
            self._log.warning("batch_call.failed", operation=self._operation, error=str(error))
            return batch
        done = {int(entry["Id"]) for entry in answer.get("Successful") or ()}
        final: set[int] = set()
        for entry in answer.get("Failed") or ():
            record = batch[int(entry["Id"])][0]
            self._log.warning("message.refused", operation=self._operation, ids=[record.id], error=entry.get("Code"))
            if entry.get("SenderFault", False):
                final.add(int(entry["Id"]))
        self._settle([batch[n][0] for n in sorted(done)], self._confirmed)
        self._settle([batch[n][0] for n in sorted(final)], self._refused)
        return [pair for n, pair in enumerate(batch) if n not in done and n not in final]

    def _settle(self, records: Sequence[Record], told: Done) -> None:
        self._out -= len(records)
        if records:
            told(records)
