"""A partition's lane opened for a test, on a broker: the source as a mapping opens it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from confluent_kafka import Producer
from kafka.admin import MemberToRemove

from headrace.model import Lane, Record
from headrace.observe import Tally, log
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace.testing import tended
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.source import KafkaSource
from support.kafka import Cluster


class KafkaHarness:
    """A topic of one partition, and a group of one member: who opens it, after the one before has left."""

    slack = 0.0

    def __init__(self, cluster: Cluster, *, promptly: float, patience: float, **options: Any) -> None:
        self.promptly, self.patience = promptly, patience
        self._cluster, self._topic, self._group = cluster, cluster.topic(), cluster.group()
        self._options = KafkaOptions(
            bootstrap_servers=cluster.bootstrap_servers,
            topics=[self._topic],
            consumer_group_id=self._group,
            session_timeout_ms=6000,
            **options,
        )
        self._source: Any = None
        self._producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lane]:
        source = self._source = KafkaSource(self._opening())
        try:
            lanes = source.lanes()
            async with tended(await anext(lanes)) as lane:
                yield lane
            await lanes.aclose()
        finally:
            await source.close()

    def _opening(self) -> Opening:
        return Opening(
            service="test",
            mapping="orders",
            settings=MappingSettings(starting_position="TRIM_HORIZON"),
            options=self._options,
            sections={},
            function_timeout=3,
            log=log(),
            tally=defaultdict(Tally).__getitem__,
            commit_interval=0.1,
        )

    async def put(self, names: Sequence[str], keys: Sequence[str] | None = None) -> None:
        for name, key in zip(names, keys or [None] * len(names), strict=True):
            self._producer.produce(self._topic, name, key)
        assert await asyncio.to_thread(self._producer.flush, 10) == 0

    def name(self, record: Record) -> str:
        value: bytes = record.raw.value
        return value.decode()

    async def finish(self) -> None:
        raise NotImplementedError("a partition has no end")

    async def seize(self) -> None:
        """An operator takes the member out of its group, as the group itself does with one that it does not hear."""
        assert self._source is not None
        await asyncio.to_thread(self._remove, self._source._member.client._consumer._coordinator._generation.member_id)

    def _remove(self, member: str) -> None:
        """By its id: the broker from PyPI cannot tell who is in a group."""
        with self._cluster.admin() as admin:
            admin.remove_group_members(self._group, [MemberToRemove(member_id=member)])
