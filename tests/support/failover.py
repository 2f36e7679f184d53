"""Redis put back to an older copy of itself: by a sentinel, to a replica that lags; or by an operator, to a dump."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Protocol, Self

from support.redis import Sentinel, Valkey, wait_until


class Older(Protocol):
    """A store at `url`. `keep` is what it goes back to: all that was written by then, and nothing written later."""

    url: str

    async def keep(self) -> None: ...

    async def fail_over(self) -> None:
        """Returns once the copy answers."""
        ...


class Promoted:
    """A primary that is killed, and a replica whose link to it was cut before; a sentinel promotes it."""

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)

    def __enter__(self) -> Self:
        with ExitStack() as running:  # where one does not start, or they do not come together, nothing goes on running
            self._begin(running)
            self._stack = running.pop_all()
        return self

    def _begin(self, running: ExitStack) -> None:
        self._primary = running.enter_context(Valkey())
        self._primary.ask("ACL", "SETUSER", "copier", "on", "nopass", "+psync", "+replconf", "+ping")
        follow = ("--replicaof", f"127.0.0.1 {self._primary.port}", "--masteruser", "copier", "--masterauth", "any")
        self._replica = running.enter_context(Valkey(*follow))
        self._sentinel = running.enter_context(Sentinel(self._primary))
        wait_until(lambda: "master_link_status:up" in self._replica.ask("INFO", "replication"))
        wait_until(lambda: str(self._replica.port) in self._sentinel.ask("SENTINEL", "REPLICAS", "shop"))
        # a link that has been down for ten times as long makes a copy too old to be promoted
        self._sentinel.ask("SENTINEL", "SET", "shop", "down-after-milliseconds", "2000")
        self.url = self._sentinel.url

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def keep(self) -> None:
        await asyncio.to_thread(self._cut)

    def _cut(self) -> None:
        def offset(server: Valkey, field: str) -> str:
            lines = server.ask("INFO", "replication").splitlines()
            return next(line.partition(":")[2] for line in lines if line.startswith(f"{field}:"))

        wait_until(lambda: offset(self._primary, "master_repl_offset") == offset(self._replica, "slave_repl_offset"))
        self._primary.ask("ACL", "SETUSER", "copier", "off")
        self._primary.ask("CLIENT", "KILL", "TYPE", "replica")
        wait_until(lambda: "master_link_status:down" in self._replica.ask("INFO", "replication"))

    async def fail_over(self) -> None:
        await asyncio.to_thread(self.promote)

    def promote(self) -> None:
        self._primary.kill()
        wait_until(lambda: "role:master" in self._replica.ask("INFO", "replication"))
        wait_until(lambda: str(self._replica.port) in self._sentinel.ask("SENTINEL", "MASTER", "shop"))


class Restored:
    """One server that is killed and started again with its dump of before."""

    def __init__(self) -> None:
        self._server = Valkey()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._server.start)
        self.url = self._server.url
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._server.__exit__)

    async def keep(self) -> None:
        await asyncio.to_thread(self._server.ask, "SAVE")

    async def fail_over(self) -> None:
        await asyncio.to_thread(self._server.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(self._server.start)
