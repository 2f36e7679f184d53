"""A Redis stream, and a function whose queue lies in Redis, for the table of faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from redis.asyncio import Redis

from headrace.asynchronous import queue_of
from headrace.leases import Leases
from headrace.ledger import LedgerOpening
from headrace_connectors.destinations import stream
from headrace_connectors.limits import MIB
from headrace_connectors.redis import connecting
from headrace_connectors.redis.ledger import open_redis
from support.redis import Valkey
from support.sites import Find, Served, of_json, stopped

ROOM = 350_000
"""Bytes: of seven records of 100,000 some find a place, and never all."""


class OnValkey(Served):
    """With `user` it comes as somebody who may do little."""

    def __init__(self, find: Find, folder: Path) -> None:
        super().__init__(find, folder)
        self.server: Valkey = find("own_valkey")
        self.port, self._user = self.server.port, ""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._ask("FLUSHALL")
        await self._ask("CONFIG", "SET", "proto-max-bulk-len", str(512 * MIB))  # another test may have lowered it
        return self

    @property
    def url(self) -> str:
        return f"redis://{self._user}127.0.0.1:{self.port}"

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        async with stopped(self.server):
            yield

    @asynccontextmanager
    async def denied(self) -> AsyncIterator[None]:
        self._user = "shop:planted@"
        await self._ask("ACL", "SETUSER", "shop", "reset", "on", ">planted", "~*", "&*", "+ping", "+info", "+client")
        yield
        await self._ask("ACL", "SETUSER", "shop", "+@all")

    async def _ask(self, *words: str) -> str:
        answer = await asyncio.to_thread(self.server.ask, *words)
        assert not answer.startswith("-"), answer
        return answer


class RedisSite(OnValkey):
    where = "redis failed"
    why: ClassVar = {
        "down": "; is the server up, and url right[?]$",
        "silent": "no answer within 0.5 s|Timeout",
        "partly": "maxmemory",
        "denied": "; allow this user [+]xadd on the stream's key$",
        "large": "this Redis [(]proto-max-bulk-len[)] takes 1048576",
    }
    bounds: ClassVar = {stream: "PATIENCE"}
    large = '"' * 600_000
    limit = MIB
    some = 1

    def __init__(self, find: Find, folder: Path) -> None:
        super().__init__(find, folder)
        self._last = b"-"

    def lower(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody sends Redis the 512 MiB that it takes: it is told to take the least that it can be."""
        del monkeypatch
        self.server.ask("CONFIG", "SET", "proto-max-bulk-len", str(MIB))

    @property
    def block(self) -> dict[str, Any]:
        return {"type": "redis", "url": self.url, "stream": "failed"}

    async def found(self) -> list[Any]:
        async with Redis(host="127.0.0.1", port=self.server.port) as client:
            entries = await client.xrange("failed", self._last)
        self._last = b"(" + entries[-1][0] if entries else self._last
        return of_json([given[b"body"] for _, given in entries])

    @asynccontextmanager
    async def partly(self) -> AsyncIterator[None]:
        """Its memory is full after some."""
        self.filling = self.spoilt = "x" * 100_000
        used = next(
            line for line in (await self._ask("INFO", "memory")).splitlines() if line.startswith("used_memory:")
        )
        await self._ask("CONFIG", "SET", "maxmemory", str(int(used.partition(":")[2]) + ROOM))
        try:
            yield
        finally:
            await self._ask("CONFIG", "SET", "maxmemory", "0")


class FunctionSite(OnValkey):
    """It is confirmed by the store, which is shared by all copies of the service."""

    where = "function repair"
    why: ClassVar = {
        "down": "does not answer",
        "silent": "does not answer",
        "partly": "above the 1048576 of an asynchronous invocation",
        "denied": "refuses",
        "large": "above the 1048576 of an asynchronous invocation",
    }
    once = True
    partly_is = "refused"
    mends = False
    limit = MIB
    bounds: ClassVar = {connecting: "TIMEOUT"}
    spoilt = large = '"' * 600_000

    @property
    def state(self) -> str:
        return self.url

    @property
    def block(self) -> dict[str, Any]:
        return {"type": "function", "function": "repair"}

    @asynccontextmanager
    async def _leases(self) -> AsyncIterator[Leases]:
        leases = Leases(lambda: open_redis(LedgerOpening(url=self.url, service="s")))
        try:
            yield leases
        finally:
            await leases.close()

    async def found(self) -> list[Any]:
        """As whoever invokes the function takes them."""
        ledger = await open_redis(LedgerOpening(url=self.server.url, service="s"))
        try:
            taken = await ledger.take(queue_of("repair"), "test", 100, 60)
            await ledger.settle(taken)
        finally:
            await ledger.close()
        return [json.loads(one.call.event)["event"] for one in taken]

    @asynccontextmanager
    async def partly(self) -> AsyncIterator[None]:
        """The store takes all that are put, or none; of several the one that is too large for any is not put."""
        yield
