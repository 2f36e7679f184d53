"""A Kafka source as a program polls it, with a handler that keeps what it was handed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from headrace.poller import Poller
from headrace_connectors.catalog import catalog
from headrace_connectors.kafka.connecting import SECTION, KafkaSettings
from headrace_connectors.kafka.registration import kafka as connector
from support.kafka import Cluster


class Handled:
    """A handler, and what it was handed."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], context: object) -> None:
        for records in event["records"].values():
            self.records += records

    @property
    def places(self) -> list[tuple[str, int, int]]:
        return [(one["topic"], one["partition"], one["offset"]) for one in self.records]

    @property
    def values(self) -> list[bytes]:
        return [base64.b64decode(one["value"]) for one in self.records]

    def offsets(self, partition: int) -> list[int]:
        return [one["offset"] for one in self.records if one["partition"] == partition]


async def until(said: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not said():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(
    servers: str, topic: str, group: str, handled: Callable[[dict[str, Any], Any], None], **settings: Any
) -> AsyncIterator[Poller]:
    arguments: dict[str, Any] = {
        "topics": [topic],
        "bootstrap_servers": servers,
        "consumer_group_id": group,
        "session_timeout_ms": 10_000,
        "starting_position": "TRIM_HORIZON",
        "maximum_batching_window_in_seconds": 0,
        **settings,
    }
    poller = Poller(
        connector,
        handled,
        arguments,
        name=group,
        timeout=30,
        drain_timeout=30,
        state="memory:",
        catalog=catalog,
        sections={SECTION: KafkaSettings()},
    )
    async with poller:
        run = asyncio.ensure_future(poller.run())
        yield poller
        poller.stop()
        await run


async def at_rest(poller: Poller) -> None:
    async with asyncio.timeout(60):
        while not await poller.idle():
            await asyncio.sleep(0.1)


def committed(cluster: Cluster, group: str, topic: str) -> dict[int, int]:
    with cluster.admin() as admin:
        found = admin.list_group_offsets({group: None})[group]
    return {part.partition: one.offset for part, one in found.items() if part.topic == topic}
