"""A sharded log in memory, split and merged at will: the `Shards` for tests of what leases and reads one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from headrace.clock import Clock
from headrace.errors import SourceUnavailable
from headrace.model import Condition, Event, LaneEnded, Origin, Position, Record
from headrace.shards import Found, Listed, Listing
from headrace.testing.clock import FakeClock

WHOLE = (0, 2**32)


@dataclass(slots=True)
class MemoryShard:
    """`entries` are (name, key, number, arrival); numbers are unique to the stream, and grow."""

    name: str
    span: tuple[int, int]
    parents: tuple[str, ...] = ()
    closed: bool = False
    entries: list[tuple[str, str, int, float]] = field(default_factory=list)
    listed: bool = True


class MemoryStream:
    """Implements `Shards`. A key's records go to the open shard whose span holds its hash.

    Faults for tests: `away` refuses every call; `unlisted` its listings only; `silent` names no children at a shard's
    end; `delay` is how long each call takes, in seconds.
    """

    beginning: Position = "beginning"
    rests = True
    seekable = True
    arn = "arn:memory"

    def __init__(self, shards: int = 1, *, page: int = 10, clock: Clock | None = None) -> None:
        self.clock, self.page = clock or FakeClock(), page
        self.identity = "stream@1"
        self.away = self.silent = self.unlisted = False
        self.delay = 0.0
        self.listings = 0
        self.grown = asyncio.Event()
        self._numbers = 0
        self._names = 0
        self.shards: dict[str, MemoryShard] = {}
        size = WHOLE[1] // shards
        for index in range(shards):
            self._open((index * size, WHOLE[1] if index == shards - 1 else (index + 1) * size))

    def _open(self, span: tuple[int, int], parents: tuple[str, ...] = ()) -> MemoryShard:
        shard = MemoryShard(f"shard-{self._names:03}", span, parents)
        self._names += 1
        self.shards[shard.name] = shard
        return shard

    def put(self, names: Iterable[str], key: str | None = None) -> str:
        """Append records; each is its own key unless one is given. The shard of the last."""
        shard = MemoryShard("", WHOLE)
        for name in names:
            self._numbers += 1
            hashed = crc32((key or name).encode())
            shard = next(s for s in self.shards.values() if not s.closed and s.span[0] <= hashed < s.span[1])
            shard.entries.append((name, key or name, self._numbers, self.clock.wall()))
        self._tell()
        return shard.name

    def split(self, name: str) -> tuple[str, str]:
        low, high = self.shards[name].span
        self.shards[name].closed = True
        children = [self._open(span, (name,)) for span in ((low, (low + high) // 2), ((low + high) // 2, high))]
        self._tell()
        return children[0].name, children[1].name

    def merge(self, one: str, other: str) -> str:
        first, second = sorted((self.shards[one], self.shards[other]), key=lambda shard: shard.span)
        if first.span[1] != second.span[0]:
            raise ValueError(f"{one} and {other} do not touch")
        first.closed = second.closed = True
        child = self._open((first.span[0], second.span[1]), (first.name, second.name))
        self._tell()
        return child.name

    def open_shards(self) -> list[str]:
        return [shard.name for shard in self.shards.values() if not shard.closed]

    def recreate(self) -> None:
        """Delete the stream, and make one of the same name and as many shards."""
        count = len(self.open_shards())
        fresh = MemoryStream(count, clock=self.clock)
        self.shards, self._names = fresh.shards, fresh._names
        self.identity = f"stream@{int(self.identity.partition('@')[2]) + 1}"
        self._tell()

    def _tell(self) -> None:
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()

    async def call(self) -> None:
        """What every call of a server comes to."""
        await asyncio.sleep(self.delay)
        if self.away:
            raise SourceUnavailable("the stream is away")

    # Shards

    def at(self, time: float) -> Position:
        return f"at:{time}"

    def sequence(self, number: str) -> Position | None:
        return f"from:{number}" if number.isdecimal() else None

    async def list(self) -> Listing:
        await self.call()
        if self.unlisted:
            raise SourceUnavailable("the listing is refused")
        self.listings += 1
        listed = [Listed(name=s.name, parents=s.parents, closed=s.closed) for s in self.shards.values() if s.listed]
        return Listing(identity=self.identity, shards=tuple(listed), now=self.clock.wall())

    def open(self, shard: str, after: Position, found: Found) -> MemoryShardReader:
        return MemoryShardReader(self, shard, after, found)

    def render(self, records: Sequence[Record]) -> Event:
        return {"Records": [dict(record.raw) for record in records]}

    def origin(self, lane: str, records: Sequence[Record]) -> Origin:
        info: dict[str, Any] = {"shardId": lane, "first": records[0].id, "last": records[-1].id, "size": len(records)}
        return Origin(block="MemoryBatchInfo", info=info)

    def identify(self, identifier: object) -> str | None:
        return identifier if isinstance(identifier, str) else None

    async def close(self) -> None:
        pass


class MemoryShardReader:
    """Reads one shard forward; waits at the tip of an open one."""

    def __init__(self, stream: MemoryStream, shard: str, after: Position, found: Found) -> None:
        self._stream, self._shard, self._found = stream, stream.shards[shard], found
        self._next = self._index(after)
        self._page: list[Record] = []
        self.behind: float | None = None
        self.condition = Condition("polling", since=stream.clock.wall())

    def _index(self, after: Position) -> int:
        entries = self._shard.entries
        form, _, value = after.partition(":")
        if form == "beginning":
            return 0
        if form == "at":
            return sum(arrival < float(value) for _, _, _, arrival in entries)
        if form == "from":
            return sum(number < int(value) for _, _, number, _ in entries)
        return sum(number <= int(after) for _, _, number, _ in entries)

    async def read(self, limit: int) -> Sequence[Record]:
        while not self._page:
            grown = self._stream.grown
            if not await self._ask():
                continue
            if self._page:
                break
            if self._shard.closed:
                self._end()
            await grown.wait()
        records, self._page = self._page[:limit], self._page[limit:]
        return records

    async def _ask(self) -> bool:
        """Read the next page; false when there was no answer."""
        try:
            await self._stream.call()
        except SourceUnavailable as error:
            self.condition = Condition("unavailable", str(error), self._stream.clock.wall())
            await asyncio.sleep(1)
            return False
        self.condition = Condition("polling", since=self._stream.clock.wall())
        entries = self._shard.entries[self._next : self._next + self._stream.page]
        self._page = [
            Record(name, {"id": name, "key": key, "number": number}, at, len(name) + 100, key, str(number))
            for name, key, number, at in entries
        ]
        self._next += len(entries)
        left = self._shard.entries[self._next :]
        self.behind = self._stream.clock.wall() - left[0][3] if left else 0.0
        return True

    def _end(self) -> None:
        children = [
            Listed(name=s.name, parents=s.parents, closed=s.closed)
            for s in self._stream.shards.values()
            if self._shard.name in s.parents
        ]
        if children and not self._stream.silent:
            self._found(children)
        raise LaneEnded

    async def close(self) -> None:
        pass
