"""Kinesis shards opened for a test: over a fake of the service, or over a server by its URL."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headrace.clock import SYSTEM, Clock
from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.observe import Tally, log
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace.shards import Listed
from headrace.testing import MemoryCursor, MemoryLog, tended
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.kinesis.source import KinesisShards
from support.servers import REGION

SHARD = "shardId-000000000000"


class Opened(KinesisShards):
    """`tallies` by shard; `found` is every child that a reader told of."""

    def __init__(self, options: KinesisOptions, clock: Clock, client: Any = None, **settings: Any) -> None:
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self.found: list[Listed] = []
        opening = Opening(
            service="test",
            mapping="clicks",
            settings=MappingSettings(**settings),
            options=options,
            sections={},
            function_timeout=3,
            log=log(),
            clock=clock,
            tally=self.tallies.__getitem__,
        )

        @asynccontextmanager
        async def connect() -> AsyncIterator[Any]:
            yield client

        super().__init__(opening, connect if client is not None else None)

    def reader(self, shard: str, after: str = "TRIM_HORIZON") -> Any:
        return self.open(shard, after, self.found.extend)


def over(fake: Any, clock: Clock | None = None, **options: Any) -> Opened:
    """Shards of a fake's stream, whose client it is."""
    return Opened(KinesisOptions(stream=fake.name, **options), clock or fake.clock, fake)


def at_server(url: str, stream: str, **options: Any) -> Opened:
    return Opened(KinesisOptions(stream=stream, region=REGION, endpoint_url=url, **options), SYSTEM)


class KinesisHarness:
    """The first shard of a stream under a log lane; a memory log keeps its position, and fences its owners."""

    slack = 0.0

    def __init__(
        self,
        shards: Callable[[], Opened],
        put: Callable[[Sequence[str], Sequence[str] | None], Awaitable[object]],
        finish: Callable[[], Awaitable[object]],
        *,
        clock: Clock,
        promptly: float,
        patience: float,
    ) -> None:
        self.promptly, self.patience = promptly, patience
        self._shards, self._put, self._finish, self._clock = shards, put, finish, clock
        self._store = MemoryLog(clock=clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lane]:
        shards = self._shards()
        reader = shards.reader(SHARD, self._store.position or shards.beginning)
        cursor = MemoryCursor(self._store, self._store.seize())
        lane = LogLane(SHARD, reader, cursor, commit_interval=0.1, clock=self._clock)
        try:
            async with tended(lane):
                yield lane
        finally:
            await shards.close()

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        await self._put(names, keys)

    def name(self, record: Record) -> str:
        return base64.b64decode(record.raw["Data"]).decode()

    async def finish(self) -> None:
        await self._finish()

    async def seize(self) -> None:
        self._store.seize()


async def read(reader: Any, count: int, limit: int = 10) -> list[Record]:
    """So many records, or more."""
    records: list[Record] = []
    while len(records) < count:
        records += await reader.read(limit)
    return records


def ids(records: Sequence[Record]) -> list[str]:
    return [record.id for record in records]
