"""Stretches of a sharded log, read again beside its readers: no lease is taken, and no position moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from headrace.ending import cancelled
from headrace.errors import SourceUnavailable
from headrace.mailbox import Stretch, Trimmed
from headrace.model import Event, LaneEnded, Position, Record
from headrace.seeking import At, Edge, Target
from headrace.seeking import Sequence as Number
from headrace.shards import ShardReader, Shards

PAGE: Final = 1000
"""Records that are taken from a reader at once, at most."""

LOOK: Final = 0.02
"""Seconds between two looks at a reader that says nothing: whether it is at the tip, or stuck."""

UNAVAILABLE: Final = 30.0
"""Seconds of refusals after which it is given up."""


class ShardRereader:
    """Of *shards*, which nobody else uses."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def at(self, info: Mapping[str, Any]) -> Sequence[Stretch]:
        """As the blocks of Kinesis' and DynamoDB's failure records have it."""
        try:
            first, last = str(info["startSequenceNumber"]), str(info["endSequenceNumber"])
            return [Stretch(lane=str(info["shardId"]), first=Number(first), last=Number(last))]
        except KeyError as error:
            raise ValueError(f"its block has no {error}") from None

    async def between(self, first: Target, last: Target, lane: str | None) -> Sequence[Stretch]:
        names = [one.name for one in (await self._shards.list()).shards]
        if lane is not None and lane not in names:
            raise SourceUnavailable(f"there is no shard {lane!r}; known are {', '.join(names)}")
        for end in (first, last):
            if isinstance(end, Number) and self._shards.sequence(end.number) is None:
                raise SourceUnavailable(f"{end.number} is no sequence number of this source")
        until = None if last is Edge.LATEST else last
        return [Stretch(lane=name, first=first, last=until) for name in names if lane in {None, name}]

    async def read(self, stretch: Stretch) -> AsyncIterator[Sequence[Record]]:
        await self._shards.list()  # what a stream is must be known before its records are read
        reader = self._shards.open(stretch.lane, self._position(stretch.first), lambda _: None)
        begun = False
        try:
            while (some := await _page(reader)) is not None:
                if not begun and isinstance(stretch.first, Number) and _past(some[0], stretch.first):
                    raise Trimmed(f"the record {stretch.first.number} is not there any more")
                begun = True
                within = [one for one in some if stretch.last is None or not _past(one, stretch.last)]
                if within:
                    yield within
                if len(within) < len(some):
                    break
        finally:
            await reader.close()
        if not begun and isinstance(stretch.first, Number):
            raise Trimmed(f"the record {stretch.first.number} is not there")

    def render(self, records: Sequence[Record]) -> Event:
        return self._shards.render(records)

    def _position(self, first: Target) -> Position:
        match first:
            case At(time):
                return self._shards.at(time)
            case Number(number):
                position = self._shards.sequence(number)
                if position is None:
                    raise ValueError(f"{number} is no sequence number of this source")
                return position
        return self._shards.beginning

    async def close(self) -> None:
        await self._shards.close()


def _past(record: Record, target: Target) -> bool:
    match target:
        case At(time):
            return record.at > time
        case Number(number):
            return int(record.token) > int(number)
    return False


async def _page(reader: ShardReader) -> Sequence[Record] | None:
    """What comes next; None at the end of the shard, and at its tip."""
    reading = asyncio.ensure_future(reader.read(PAGE))
    refused = 0.0
    try:
        while True:
            await asyncio.wait([reading], timeout=LOOK)
            if reading.done():
                return reading.result()
            condition = reader.condition
            refused = 0.0 if condition.ready else refused + LOOK
            if condition.state == "trimmed":
                raise Trimmed(condition.reason)
            if refused > UNAVAILABLE:
                raise SourceUnavailable(condition.reason)
            if condition.ready and reader.behind == 0.0:
                return None
    except LaneEnded:
        return None
    finally:
        await cancelled(reading)
