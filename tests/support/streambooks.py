"""Books of a stream: what its producer put, what handlers noted, and what the ledger's rows showed meanwhile.

Each comes from a place of its own: the producer's answers, a file for each process, and looks at the real store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from headrace.clock import SYSTEM
from headrace.errors import LedgerError
from headrace.ledger import Graph, Ledger, LedgerOpening
from headrace.testing.history import Attempt, attempts
from headrace.testing.lineage import Lineage, Produced, Write, check_stream
from headrace_connectors.redis.ledger import open_redis
from support.service import until

TIMEOUT = 30.0
"""Seconds that the config gives a handler's call; `left` in a line counts from there."""

KEYS = 1000
CHUNK = 500
"""Records of a put; a key comes in it once, so that the order of a call does not matter."""


class StreamProducer:
    """Puts rising numbers, each key's in order; `produced` says where the stream has put each."""

    def __init__(self, kinesis: Any, stream: str) -> None:
        self._kinesis, self._stream = kinesis, stream
        self.produced: list[Produced] = []

    async def put(self, count: int, chunk: int = CHUNK) -> None:
        for start in range(0, count, chunk):
            await self._chunk(min(chunk, count - start))

    async def keep(self, count: int, seconds: float, enough: asyncio.Event, chunk: int = CHUNK) -> None:
        """At least *count*, evenly over *seconds*, and at that pace until it is *enough*."""
        while len(self.produced) < count or not enough.is_set():
            await self._chunk(chunk)
            await asyncio.sleep(seconds * chunk / count)

    async def _chunk(self, count: int) -> None:
        left = {number: f"k{number % KEYS}" for number in range(len(self.produced), len(self.produced) + count)}
        while left:
            entries = [{"Data": str(number).encode(), "PartitionKey": key} for number, key in left.items()]
            answer = await self._kinesis.put_records(StreamName=self._stream, Records=entries)
            for (number, key), said in zip(list(left.items()), answer["Records"], strict=True):
                if "SequenceNumber" in said:
                    shard, sequence = said["ShardId"], int(said["SequenceNumber"])
                    self.produced.append(Produced(number=number, key=key, shard=shard, sequence=sequence))
                    del left[number]


class StreamBooks:
    """The files of the handlers of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "handled"
        self.folder.mkdir()

    def done_so_far(self) -> int:
        """How many lines say done, repeats too; cheap enough to be asked often."""
        return sum(file.read_bytes().count(b'"phase": "done"') for file in self.folder.iterdir())

    async def some_done(self, why: Callable[[], str]) -> None:
        """Until one more is done."""
        before = self.done_so_far()
        await until(lambda: self.done_so_far() > before, why=why)

    async def all_done(self, count: int, why: Callable[[], str], seconds: float = 180) -> None:
        """Until so many are done, each at least once."""
        await until(lambda: self.done_so_far() >= count and len(self.done()) >= count, seconds, why)

    def lines(self) -> list[str]:
        """Without what a kill left of a line."""
        return [
            line
            for file in self.folder.iterdir()
            for line in file.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]

    def history(self) -> list[Attempt]:
        return attempts(self.lines())

    def done(self) -> set[int]:
        return {one.number for one in self.history() if one.end == "done"}

    def dispatched(self) -> list[tuple[float, Attempt]]:
        """When each call was made, by the time that it had left as it was noted, with its first record's attempt."""
        made: dict[str, float] = {}
        for line in self.lines():
            one = json.loads(line)
            if one["phase"] == "begun":
                made.setdefault(one["call"], one["at"] - (TIMEOUT - one["left"] / 1000))
        calls: dict[str, Attempt] = {}
        for attempt in self.history():
            calls.setdefault(attempt.call, attempt)
        return [(made[call], attempt) for call, attempt in calls.items()]


class Watch:
    """Looks at a mapping's rows, twenty times a second, and keeps what changed as writes.

    A look comes after the write that it sees, so what it shows as too early was too early.
    """

    def __init__(self, ledger: Ledger, mapping: str) -> None:
        self._ledger, self._mapping = ledger, mapping
        self.enough = asyncio.Event()
        self._seen: dict[str, tuple[int, str]] = {}
        self.writes: list[Write] = []
        self.owners: list[tuple[str, int]] = []
        """Which shard was held under which epoch, as they were seen."""

    async def run(self) -> None:
        while not self.enough.is_set():
            with suppress(LedgerError):
                self._look(await self.graph(), SYSTEM.boot())
            await asyncio.sleep(0.05)

    async def graph(self) -> Graph:
        return await self._ledger.rows(self._mapping)

    def taken_over(self, lease: tuple[str, int]) -> bool:
        """Whether another was seen to hold the shard of a lease (shard, epoch) after it."""
        shard, epoch = lease
        return any(one == shard and now > epoch for one, now in self.owners)

    def _look(self, graph: Graph, at: float) -> None:
        for row in graph.rows:
            epoch, position = self._seen.get(row.shard, (-1, ""))
            if row.epoch != epoch:
                self.writes.append(Write(at=at, verb="acquire", shard=row.shard, epoch=row.epoch))
                self.owners.append((row.shard, row.epoch))
            if row.position != position and row.position.isdecimal():
                where = int(row.position)
                self.writes.append(Write(at=at, verb="commit", shard=row.shard, epoch=row.epoch, position=where))
            self._seen[row.shard] = row.epoch, row.position


@asynccontextmanager
async def watching(url: str, mapping: str = "m", service: str = "faults") -> AsyncIterator[Watch]:
    ledger = await open_redis(LedgerOpening(url=url, service=service))
    watch = Watch(ledger, mapping)
    looking = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        watch.enough.set()
        await looking
        await ledger.close()


def parents_of(listed: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Of each shard that ListShards shows."""
    names = ("ParentShardId", "AdjacentParentShardId")
    return {one["ShardId"]: [one[name] for name in names if name in one] for one in listed}


async def hold(
    books: StreamBooks,
    produced: Sequence[Produced],
    watch: Watch,
    *,
    broken: Mapping[tuple[str, int], str],
    parents: Mapping[str, Sequence[str]] = MappingProxyType({}),
    given_up: Mapping[int, float] | None = None,
) -> Lineage:
    """No breach, and every shard's position at its last record: nothing would come again."""
    found = check_stream(
        books.history(), produced, parents=parents, broken=broken, writes=watch.writes, given_up=given_up
    )
    print(f"books: {found}")  # noqa: T201 - shown by pytest when the test fails, or with -s
    assert found.holds, found
    last = {one.shard: one.sequence for one in sorted(produced, key=lambda one: one.sequence)}
    rows = {row.shard: row for row in (await watch.graph()).rows}
    behind = {shard: rows[shard].position for shard, end in last.items() if rows[shard].position != str(end)}
    assert not behind, behind
    return found
