"""Enhanced fan-out of one shard: what Kinesis pushes, answered page by page as if GetRecords had been asked."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any, Final, TypeAlias

from headrace.clock import Clock
from headrace.model import Position
from headrace.observe import Log
from headrace_connectors.aws import AwsError
from headrace_connectors.kinesis.consumer import Consumer
from headrace_connectors.kinesis.position import TRIM_HORIZON, iterator
from headrace_connectors.kinesis.stream import About, Stream
from headrace_connectors.streams.refusals import Refusal, Refused, refusal

BETWEEN = 1.0
"""Seconds from one SubscribeToShard to the next, a shard and consumer (its API reference)."""

AFTER_SUCCESS = 5.0
"""Seconds after one that was taken, within which another is refused as in use (the same)."""

SILENCE = 35.0
"""Seconds without an event, after which a subscription is taken for dead, as the KCL does: Kinesis sends an event every
few seconds, records or none, and a connection that died on its way would be noticed only by its five minutes."""

WAITING = 2
"""Events that wait to be read; with more to come the socket is left alone, until Kinesis' own five minutes end."""

_AFTER: Final = "after:"
ENDED: Final = "ended"
"""What an iterator of a subscription begins with, if it is no position; and the one that follows the last event."""

OPEN: Final = "open"
END: Final = "end"
Item: TypeAlias = dict[str, Any] | str | Exception
"""An event; that the subscription was taken, or has ended; or why there is none."""


class Subscription:
    """Answers for a `Stream` where one shard is read: `KinesisCalls` asks it, and goes on from page to page.

    A task of its own subscribes, in the rate that Kinesis allows, and reads: so cancelling a read loses no event and
    ends no subscription. One that ends after its five minutes is followed by another. An iterator says from where: a
    position, or behind the last ContinuationSequenceNumber, which moves without records too; that number may be no
    record's, and is never a position.
    """

    def __init__(self, shard: str, stream: Stream, consumer: Consumer, *, clock: Clock, log: Log) -> None:
        self._shard, self._stream, self._consumer = shard, stream, consumer
        self._clock, self._log = clock, log
        self._at = ""
        self._task: asyncio.Task[None] | None = None
        self._items: asyncio.Queue[Item] = asyncio.Queue(WAITING)
        self._taken = False
        self._due = -math.inf

    async def known(self) -> About:
        """Without its retention: where a subscription stands near it, nothing can be asked anew for every page."""
        return replace(await self._stream.known(), retention_hours=None)

    async def has(self, shard: str) -> bool:
        return await self._stream.has(shard)

    async def iterator(self, shard: str, after: Position = TRIM_HORIZON) -> str:  # noqa: ARG002 - it is of one shard
        """Subscribe from there. Cancelled and asked again, it waits on for the same subscription."""
        if self._task is None or self._taken or after != self._at:
            await self._begin(after)
        await self._await_taken()
        return after

    async def records(self, shard_iterator: str) -> dict[str, Any]:
        """The next event, as an answer of GetRecords; the same again from the iterator that it was asked with."""
        if shard_iterator != self._at:  # what came last was of no use: go back to it
            await self._begin(shard_iterator)
        while True:
            if self._task is None:
                await self._begin(self._at)
            try:
                if not self._taken:
                    await self._await_renewed()
                event = await self._next()
            except TimeoutError as error:
                self._log.info("subscription.silent", shard=self._shard, seconds=SILENCE)
                await self.close()
                raise AwsError("ReadTimeoutError", f"the subscription said nothing for {SILENCE:.0f} s") from error
            if isinstance(event, dict):
                answer = _answer(event.get("SubscribeToShardEvent", {}), self._at)
                self._at = answer["NextShardIterator"] or ENDED
                return answer

    async def _await_renewed(self) -> None:
        """Wait until a subscription that goes on from an earlier one is taken."""
        try:
            await self._await_taken()
        except AwsError as error:
            if refusal(error) not in {Refusal.INVALID, Refusal.MISSING}:
                raise
            raise Refused(Refusal.EXPIRED, str(error)) from error  # to be asked from the position, and understood

    async def _await_taken(self) -> None:
        try:
            await self._next()
        except TimeoutError as error:
            await self.close()
            raise AwsError("ReadTimeoutError", f"SubscribeToShard was not answered for {SILENCE:.0f} s") from error
        self._taken = True

    async def _next(self) -> Item:
        """What the task tells next; after an error or the end it tells no more."""
        async with asyncio.timeout(SILENCE):
            item = await self._items.get()
        if isinstance(item, Exception) or item is END:
            self._task = None
        if isinstance(item, Exception):
            raise item
        return item

    async def _begin(self, at: str) -> None:
        await self.close()
        self._at, self._taken = at, False
        self._items = asyncio.Queue(WAITING)
        self._task = asyncio.create_task(self._run(_start(at), self._items))

    async def _run(self, start: dict[str, Any], items: asyncio.Queue[Item]) -> None:
        """Subscribe once, and tell all that comes of it."""
        await asyncio.sleep(max(self._due - self._clock.boot(), 0))
        self._due = self._clock.boot() + BETWEEN
        try:
            async with self._consumer.subscribe(self._shard, start) as events:
                self._due = self._clock.boot() + AFTER_SUCCESS
                await items.put(OPEN)
                async for event in events:
                    await items.put(event)
            await items.put(END)
        except Exception as error:  # noqa: BLE001 - it is raised where the next event is awaited
            await items.put(error)

    async def close(self) -> None:
        """Hang up."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})


def _start(iterator_: str) -> dict[str, Any]:
    """The StartingPosition that an iterator stands for."""
    if iterator_.startswith(_AFTER):
        return {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": iterator_.removeprefix(_AFTER)}
    asked = iterator(iterator_)
    start = {"Type": asked.pop("ShardIteratorType")}
    return start | {name.removeprefix("Starting"): value for name, value in asked.items()}


def _answer(event: dict[str, Any], at: str) -> dict[str, Any]:
    """An event, asked for from the iterator *at*, as GetRecords would have answered it."""
    records, children = event.get("Records"), event.get("ChildShards")
    upcoming = event.get("ContinuationSequenceNumber") or (records[-1]["SequenceNumber"] if records else None)
    return {
        **event,
        "Records": records,
        "NextShardIterator": None if children else f"{_AFTER}{upcoming}" if upcoming else at,
    }
