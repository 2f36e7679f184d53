"""DynamoDB Streams under test: a mapping's opening, and the harness of the conformance suite for one shard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from headrace.clock import Clock
from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.observe import log
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace.testing import MemoryCursor, MemoryLog, tended
from headrace_connectors.dynamodb.options import DEFAULTS, DynamoDBOptions
from headrace_connectors.dynamodb.source import DynamoDBShards

Connect = Callable[[str], AbstractAsyncContextManager[Any]]


def opening_of(options: dict[str, Any], **more: Any) -> Opening:
    """Of a mapping with these options of its source; *more*: `settings`, and what an Opening has."""
    given = {"starting_position": "TRIM_HORIZON", **DEFAULTS, **more.pop("settings", {})}
    return Opening(
        service="s",
        mapping=more.pop("mapping", "m"),
        settings=MappingSettings.model_validate(given),
        options=DynamoDBOptions.model_validate(options),
        sections={},
        function_timeout=30,
        log=more.pop("log", None) or log(),
        **more,
    )


def connected_to(fake: Any) -> Connect:
    """Both services are *fake*."""

    @asynccontextmanager
    async def connect(_: str) -> AsyncIterator[Any]:
        yield fake

    return connect


class DynamoDBHarness:
    """The only shard of a stream under a log lane, whose position is kept in memory."""

    slack = 0.0

    def __init__(
        self,
        shards: DynamoDBShards,
        put: Callable[[dict[str, Any]], Awaitable[object]],
        finish: Callable[[], Awaitable[object]],
        *,
        clock: Clock,
        promptly: float,
        patience: float,
    ) -> None:
        self.promptly, self.patience = promptly, patience
        self._shards, self._put, self._finish, self._clock = shards, put, finish, clock
        self._book = MemoryLog(clock=clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lane]:
        (shard,) = (await self._shards.list()).shards
        position = self._book.position or self._shards.beginning
        reader = self._shards.open(shard.name, position, lambda _: None)
        lane = LogLane(shard.name, reader, MemoryCursor(self._book, self._book.seize()), clock=self._clock)
        async with tended(lane):
            yield lane

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        for name, key in zip(names, keys or names, strict=True):
            await self._put({"id": {"S": key}, "name": {"S": name}})

    def name(self, record: Record) -> str:
        return str(record.raw["dynamodb"]["NewImage"]["name"]["S"])

    async def finish(self) -> None:
        await self._finish()

    async def seize(self) -> None:
        self._book.seize()
