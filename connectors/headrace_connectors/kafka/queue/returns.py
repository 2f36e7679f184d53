"""Records on their way to a retry topic: settled where they were read once they are confirmed there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from headrace.destination import Destination, Message, Said
from headrace.errors import DestinationUnavailable
from headrace.model import Record
from headrace.observe import Log
from headrace.retry import again
from headrace_connectors.kafka.origin import message_of
from headrace_connectors.kafka.queue.again import Again, body_of

AT_ONCE = 500
"""Written together at most."""

Settle = Callable[[Sequence[Record]], Awaitable[None]]


class Returns:
    """`put` remembers, `tend` writes, `flush` writes what is left, once."""

    def __init__(self, retry: Destination, lane: str, settle: Settle, log: Log) -> None:
        self._retry, self._lane, self._settle, self._log = retry, lane, settle, log
        self._waiting: list[tuple[Record, float]] = []
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()

    def put(self, records: Sequence[Record], due: float) -> None:
        """They come again at Unix time *due*."""
        self._waiting += [(record, due) for record in records]
        self._news.set()

    async def tend(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            async for attempt in again(self._log, "retry.unavailable", lane=self._lane):
                with attempt:
                    await self.flush()

    async def flush(self) -> None:
        """Write all that waits.

        Raises:
            DestinationUnavailable: some of it was not taken; it waits on, unsettled, and is read again after a crash.
        """
        async with self._writing:
            while self._waiting:
                await self._write(self._waiting[:AT_ONCE])

    async def _write(self, some: Sequence[tuple[Record, float]]) -> None:
        """What is not taken stays in front."""
        replies = await self._retry.send([self._message(record, due) for record, due in some])
        taken = [reply.said is Said.CONFIRMED for reply in replies]
        left = [entry for entry, done in zip(some, taken, strict=True) if not done]
        self._waiting[: len(some)] = left
        if confirmed := [record for (record, _), done in zip(some, taken, strict=True) if done]:
            await self._settle(confirmed)
        if left:
            raise DestinationUnavailable(next(reply.reason for reply in replies if reply.said is not Said.CONFIRMED))

    def _message(self, record: Record, due: float) -> Message:
        message = message_of(record)
        return Message(
            id=f"{record.id}-{record.attempt}",
            key=record.key,
            body=body_of(Again(message, record.attempt + 1, due)),
            lane=self._lane,
            at=due,
            source_key=message.key,
        )
