"""Apache Kafka: one process that is broker and controller.

with ApacheKafka(installation.prepare(cache)) as kafka: ...       # kafka.bootstrap_servers
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from headrace_connectors.testbed import probe
from headrace_connectors.testbed.installed import Installation
from headrace_connectors.testbed.properties import BROKER, CONTROLLER, server_properties, text
from headrace_connectors.testbed.server import LOOPBACK, Server

_LEVEL = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


class ApacheKafka(Server):
    """`listeners`: more of them, by name, with the protocol of each (SSL, SASL_PLAINTEXT, SASL_SSL).

    `properties` are the broker's and override ours; `java_options` come after ours.
    """

    name = "Apache Kafka"

    def __init__(
        self,
        installation: Installation,
        *,
        folder: Path | None = None,
        port: int = 0,
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        java_options: Sequence[str] = (),
    ) -> None:
        self._protocols = dict(listeners or {})
        super().__init__(folder=folder, port=port, listeners=(BROKER, CONTROLLER, *self._protocols))
        self._installation, self._java_options = installation, list(java_options)
        self.properties = dict(properties or {})

    @property
    def bootstrap_servers(self) -> str:
        return self.address(BROKER)

    def address(self, listener: str) -> str:
        """HOST:PORT of a listener."""
        return f"{LOOPBACK}:{self.ports[listener]}"

    def argv(self) -> list[str]:
        settings, data = self.folder / "server.properties", self.folder / "data"
        if not data.exists():
            half = self.folder / "data.half"  # whole or not there, whenever we are killed
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(self._installation.formatted, half).rename(data)
        settings.write_text(
            text(server_properties(ports=self.ports, protocols=self._protocols, data=data, extra=self.properties))
        )
        memory = ["-Xms256m", "-Xmx512m"]
        return self._installation.java(*memory, _LEVEL, *self._java_options, "kafka.Kafka", str(settings))

    def probe(self) -> None:
        probe.brokers(self.port)
