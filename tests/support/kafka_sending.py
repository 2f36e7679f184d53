"""A Kafka topic as a failure destination: opened, written to by an engine whose handler fails, and read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from headrace.batcher import BatchPolicy
from headrace.destination import Destination
from headrace.model import Origin
from headrace.outlet import Outlet
from headrace.policy import FailurePolicy
from headrace.testing import MemoryLog
from headrace.writing import FailureRecords
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.destinations.kafka import kafka as to_kafka
from headrace_connectors.destinations.topic import KafkaDestination
from support.engine import Lines, Rig, error
from support.messages import about, opening


@asynccontextmanager
async def opened(servers: str, topic: str, **options: Any) -> AsyncIterator[Destination]:
    made = KafkaDestination(opening(), KafkaDestinationOptions(bootstrap_servers=servers, topic=topic, **options))
    try:
        yield made
    finally:
        await made.close()


def read(servers: str, topic: str) -> list[Any]:
    """All messages of the topic, partition by partition, read committed."""
    consumer = KafkaConsumer(bootstrap_servers=servers, isolation_level="read_committed", enable_auto_commit=False)
    try:
        with KafkaAdminClient(bootstrap_servers=servers) as admin:
            (found,) = admin.describe_topics([topic])
        parts = [TopicPartition(topic, one["partition_index"]) for one in found["partitions"]]
        consumer.assign(parts)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(parts)
        messages: list[Any] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for some in consumer.poll(timeout_ms=200).values():
                messages += some
        return sorted(messages, key=lambda one: (one.partition, one.offset))
    finally:
        consumer.close()


async def all_of(servers: str, topic: str) -> list[Any]:
    return await asyncio.to_thread(read, servers, topic)


def failing(destination: Destination, names: str, *, key: bytes | None = None) -> tuple[Rig, MemoryLog]:
    """A log, and what reads it: the handler fails its one batch; it is not tried again."""

    async def fail(*_: Any) -> Any:
        return error()

    outlet = Outlet(
        destination=destination,
        write=FailureRecords(
            about=about(),
            origin=lambda lane, some: Origin(block="ThingInfo", info={"shardId": lane}, key=key),
            render=lambda some: {"Records": [one.raw for one in some]},
            full=False,
            form=to_kafka.form,
        ),
        apart=False,
        payload=to_kafka.payload or pytest.fail("Kafka is sent the records"),
        log=Lines(),
        singly=to_kafka.singly,
    )
    log = MemoryLog(page=100)
    log.put(names)
    log.seal()
    batch = BatchPolicy(size=len(names))
    return Rig(log.lane("shardId-7"), fail, discard=outlet, failure=FailurePolicy(retries=0), batch=batch), log
