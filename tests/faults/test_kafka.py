"""Topics read by several real processes of one group, which are killed, stopped, cut off and started anew.

The judge is `headrace.testing.lineage`: it has the broker's answers to the producer, the handlers' files, and looks at
the group's committed offsets. HEADRACE_RECORDS (20,000) and HEADRACE_KILLS (8) make the first test larger. What each
promise is, which test proves it and of which mutation that dies stands in docs/promises.md, with the times printed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.copies import Copies, held, quantile
from support.kafka import Cluster
from support.kafkabooks import TopicProducer, hold, watching
from support.service import Service, config, until
from support.streambooks import TIMEOUT, StreamBooks

RECORDS = int(os.environ.get("HEADRACE_RECORDS", "20000"))
KILLS = int(os.environ.get("HEADRACE_KILLS", "8"))
PARTITIONS = 8
SESSION = 3.0


@pytest.fixture
def books(tmp_path: Path) -> StreamBooks:
    return StreamBooks(tmp_path)


Run = Callable[..., Service]


@pytest.fixture
def run(books: StreamBooks, tmp_path: Path) -> Iterator[Run]:
    """`run(servers, topic, group)` -> a `Service`, not started; killed when the test ends."""
    services: list[Service] = []

    def make(servers: str, topic: str, group: str, *, handler: str = "work", **more: Any) -> Service:
        environment = {name.upper(): str(more.pop(name)) for name in ("seconds", "deadly") if name in more}
        source = {
            "type": "kafka",
            "bootstrap_servers": servers,
            "topics": [topic],
            "consumer_group_id": group,
            "session_timeout_ms": int(SESSION * 1000),
            **more.pop("source", {}),
        }
        mapping = {"source": source, "function": "f", "batch_size": 500, **more}
        functions = {"f": {"handler": f"kafka_handlers.{handler}", "timeout": TIMEOUT}}
        settings = config({"m": mapping}, functions=functions, commit_interval=0.5)
        service = Service(tmp_path / f"service-{len(services)}", settings, {"BOOKS": str(books.folder), **environment})
        services.append(service)
        return service

    yield make
    for service in services:
        service.stop()


async def all_done(books: StreamBooks, producer: TopicProducer, copies: Copies, seconds: float = 180) -> None:
    count = len(producer.produced)
    await until(lambda: books.done_so_far() >= count and len(books.done()) >= count, seconds, copies.log_text)


async def some_done(books: StreamBooks, copies: Copies) -> None:
    before = books.done_so_far()
    await until(lambda: books.done_so_far() > before, why=copies.log_text)


def measured(copies: Copies, repeats: Counter[str]) -> None:
    """Prints what docs/promises.md quotes."""
    times = copies.takeovers()
    assert times, "no partition was taken over"
    print(  # noqa: T201 - the measurement
        f"{len(copies.killed)} kills, {len(times)} takeovers: p50 {quantile(times, 0.5):.2f} s, "
        f"p99 {quantile(times, 0.99):.2f} s; repeats {dict(repeats)}, "
        f"{repeats['kill'] / len(copies.killed):.0f} a kill"
    )


async def test_members_join_leave_and_are_killed_at_random_under_load(apache_kafka: Cluster, books, run) -> None:
    """Two or three of them. Order holds per partition, and so per key; only who was killed leaves repeats.

    Mutations: offsets of what was read, not of what was settled (lost, gap); a revoke that is answered before the lane
    is closed (repeats without a cause); records of an assignment that are handed over under the next (overtaken).
    """
    topic, group = apache_kafka.topic(PARTITIONS), apache_kafka.group()
    servers, chance, enough = apache_kafka.bootstrap_servers, random.Random(1), asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.01), 2)
    async with watching(servers, group, topic, PARTITIONS) as watch:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(RECORDS, KILLS * 3, enough))
            while len(copies.killed) < KILLS:
                await some_done(books, copies)
                await asyncio.sleep(chance.uniform(0.2, 2.5))
                if len(copies.running) == 2:
                    copies.join()
                elif chance.random() < 0.4:
                    await copies.leave_one(chance)
                else:
                    copies.kill_one(chance)
            enough.set()
        await all_done(books, producer, copies)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken=copies.broken())
    measured(copies, found.repeats)
    assert found.settled >= RECORDS
    assert set(found.repeats) <= {"kill"}


async def test_a_rolling_restart_of_four_members_repeats_nothing(apache_kafka: Cluster, books, run) -> None:
    """By SIGTERM, each after the one before has its partitions. Mutation: a stop that does not commit first."""
    topic, group = apache_kafka.topic(PARTITIONS), apache_kafka.group()
    servers, enough = apache_kafka.bootstrap_servers, asyncio.Event()
    producer = TopicProducer(servers, topic, PARTITIONS)
    copies = Copies(lambda: run(servers, topic, group, seconds=0.02), 4)
    async with watching(servers, group, topic, PARTITIONS) as watch:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(producer.keep(RECORDS // 2, 20, enough, chunk=200))
            for _ in range(4):
                await until(lambda: all(held(one) for one in copies.running), why=copies.log_text)
                await some_done(books, copies)
                oldest = copies.running.pop(0)
                oldest.terminate()
                assert await oldest.ended() == 0, oldest.log_text()
                copies.join()
            enough.set()
        await all_done(books, producer, copies)
        await copies.stop()
        found = await hold(books, producer.produced, watch, broken={})
    assert not found.repeats, found
