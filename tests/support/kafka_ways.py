"""The ways in which a member reads its group's topics: by which client, and who shares the partitions out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from support.kafka import Cluster
from support.service import Service, config
from support.streambooks import TIMEOUT

SESSION = 3.0
"""Seconds of silence after which a group of these tests goes on without a member."""


class Way(NamedTuple):
    """One of `WAYS`."""

    client: str
    protocol: str

    def __str__(self) -> str:
        return self.client if self.protocol == "classic" else "KIP-848"

    @property
    def source(self) -> dict[str, Any]:
        """What a mapping says of it; with KIP-848 the session is the brokers' to say (`Readers.group`)."""
        if self.protocol == "classic":
            return {"client": self.client, "session_timeout_ms": int(SESSION * 1000)}
        return {"client": self.client, "group_protocol": self.protocol}


CLASSIC = [Way("kafka-python", "classic"), Way("confluent", "classic")]
WAYS = [*CLASSIC, Way("confluent", "consumer")]


class Readers:
    """`readers(servers, topic, group)` -> a `Service` that reads it this way, not started."""

    def __init__(self, way: Way, launch: Callable[..., Service], books: Path) -> None:
        self._way, self._launch, self._books = way, launch, books

    def group(self, cluster: Cluster) -> str:
        """A new group's name, whose members are missed after SESSION."""
        group = cluster.group()
        if self._way.protocol != "classic":
            shorten(cluster.bootstrap_servers, group)
        return group

    def __call__(self, servers: str, topic: str, group: str, *, handler: str = "work", **more: Any) -> Service:
        environment = {name.upper(): str(more.pop(name)) for name in ("seconds", "deadly") if name in more}
        source = {
            "type": "kafka",
            "bootstrap_servers": servers,
            "topics": [topic],
            "consumer_group_id": group,
            **self._way.source,
            **more.pop("source", {}),
        }
        mapping = {"source": source, "function": "f", "batch_size": 500, **more}
        functions = {"f": {"handler": f"stream_handlers.{handler}", "timeout": TIMEOUT}}
        settings = config({"m": mapping}, functions=functions, commit_interval=0.5)
        return self._launch(settings, {"BOOKS": str(self._books), **environment})


def shorten(servers: str, group: str, session: float = SESSION) -> None:
    """Have the brokers take a session of this group as so long, where they say how long it is."""
    wanted = {"consumer.session.timeout.ms": session * 1000, "consumer.heartbeat.interval.ms": session * 1000 / 6}
    entries = [
        ConfigEntry(name, str(int(value)), incremental_operation=AlterConfigOpType.SET)
        for name, value in wanted.items()
    ]
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)
