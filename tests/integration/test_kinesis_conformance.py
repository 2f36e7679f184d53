"""A polled Kinesis shard under core's log lane is held to the conformance suite, against two real servers."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.log import LogLane
from headrace.model import Lane, Record
from headrace.testing import MemoryCursor, MemoryLog, tended
from headrace.testing.conformance import Ends, Fences, LaneConformance
from support.kinesis import PRODUCER, kinesis_client, make_stream, put, split
from support.kinesis_reading import at_server

SHARD = "shardId-000000000000"


class KinesisHarness:
    """A stream of its own with one shard; a memory log keeps its position, and fences its owners."""

    promptly, patience, slack = 3.0, 6.0, 0.0

    def __init__(self, url: str, stream: str, client: Any) -> None:
        self._url, self._stream, self._client = url, stream, client
        self._store = MemoryLog()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lane]:
        shards = at_server(self._url, self._stream)
        reader = shards.reader(SHARD, self._store.position or shards.beginning)
        lane = LogLane(SHARD, reader, MemoryCursor(self._store, self._store.seize()), commit_interval=0.1)
        try:
            async with tended(lane):
                yield lane
        finally:
            await shards.close()

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        await put(self._client, self._stream, names, keys)

    def name(self, record: Record) -> str:
        return base64.b64decode(record.raw["Data"]).decode()

    async def finish(self) -> None:
        await split(self._client, self._stream, SHARD)

    async def seize(self) -> None:
        self._store.seize()


class _OnServer:
    server = ""

    @pytest.fixture
    async def harness(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[KinesisHarness]:
        for name, value in PRODUCER.items():
            monkeypatch.setenv(name, value)
        url: str = request.getfixturevalue(self.server).url
        async with kinesis_client(url) as client:
            yield KinesisHarness(url, await make_stream(client), client)


class TestOnKinesisLocal(_OnServer, LaneConformance, Ends, Fences):
    server = "kinesis_local"


class TestOnRoto(_OnServer, LaneConformance, Ends, Fences):
    server = "roto"
