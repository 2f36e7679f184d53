"""`headrace seek` of a Kafka source, on Apache Kafka: a group that is at work, one that is not, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from headrace.cli.main import main
from headrace_connectors import KafkaPoller
from headrace_connectors.kafka import orders
from support.kafka import Cluster

HANDLER = "def handler(event, context):\n    pass\n"


class Shop:
    """A topic of two partitions with numbered records, a config that reads it, and what its handler saw."""

    def __init__(self, kafka: Cluster, folder: Path) -> None:
        self.kafka, self.folder = kafka, folder
        self.topic, self.group = kafka.topic(2), kafka.group()
        (folder / "seeking.py").write_text(HANDLER)
        (folder / "c.yaml").write_text(
            f"service: {{name: shop, state: 'memory:'}}\n"
            f"functions: {{settle: {{handler: seeking.handler, path: .}}}}\n"
            f"mappings:\n  payments:\n    function: settle\n    maximum_retry_attempts: 3\n"
            f"    source: {{type: kafka, topics: [{self.topic}], consumer_group_id: {self.group},"
            f" bootstrap_servers: ['{kafka.bootstrap_servers}']}}\n"
        )
        self.seen: list[tuple[str, int]] = []

    def produce(self, count: int) -> None:
        producer = KafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers)
        for number in range(count):
            producer.send(self.topic, b"%d" % number, partition=number % 2)
        producer.flush()
        producer.close()

    def handler(self, event: Any, context: Any) -> None:
        for name, records in event["records"].items():
            self.seen += [(name, record["offset"]) for record in records]

    def poller(self) -> KafkaPoller:
        return KafkaPoller(
            topics=[self.topic],
            bootstrap_servers=self.kafka.bootstrap_servers,
            consumer_group_id=self.group,
            handler=self.handler,
            name="payments",
            maximum_retry_attempts=3,
        )

    async def seek(self, *arguments: str) -> int:
        """As an operator types it, in another thread: the poller goes on meanwhile."""
        return await asyncio.to_thread(main, ["seek", str(self.folder / "c.yaml"), "payments", *arguments])


@pytest.fixture
def shop(kafka: Cluster, tmp_path: Path) -> Shop:
    return Shop(kafka, tmp_path)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)


async def test_who_owns_a_partition_moves_it_and_once(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutation: a request that is not remembered as carried out, and is carried out again and again."""
    monkeypatch.setattr(orders, "EVERY", 0.3)
    shop.produce(20)
    async with shop.poller() as poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: len(shop.seen) == 20)
        while await poller._mapping.lag() != 0:  # what was handled is committed a moment later
            await asyncio.sleep(0.1)
        shop.seen.clear()
        one = f"{shop.topic}-1"
        assert await shop.seek("--to", "7", "--shard", one) == 0
        assert f"payments: {one}: from 10 to 7\n" in capsys.readouterr().out
        await until(lambda: len(shop.seen) == 3)
        assert shop.seen == [(one, 7), (one, 8), (one, 9)]
        await asyncio.sleep(2)
        assert len(shop.seen) == 3
        poller.stop()
        await running
    async with shop.poller() as poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: poller.condition.state == "polling")
        await asyncio.sleep(2)
        assert len(shop.seen) == 3, "the next owner carries it out no more"
        poller.stop()
        await running


async def test_a_group_without_members_is_moved_at_once(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Mutation: only a request is written, which waits for an owner."""
    shop.produce(6)
    assert await shop.seek("--to", "LATEST") == 0
    assert f"payments: {shop.topic}-0: from nowhere to 3\n" in capsys.readouterr().out
    shop.produce(2)
    async with shop.poller() as poller:
        running = asyncio.ensure_future(poller.run())
        await until(lambda: len(shop.seen) == 2)
        assert sorted(shop.seen) == [(f"{shop.topic}-0", 3), (f"{shop.topic}-1", 3)]
        poller.stop()
        await running
    assert await shop.seek("--to", "2020-01-01T00:00:00Z") == 0
    assert f"payments: {shop.topic}-1: from 4 to 0\n" in capsys.readouterr().out


async def test_what_cannot_be_moved_is_said(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert await shop.seek("--to", "3", "--shard", "orders-9") == 1
    assert f"there is no partition 'orders-9'; known are {shop.topic}-0, {shop.topic}-1" in capsys.readouterr().err
    with_typo = ["seek", str(shop.folder / "c.yaml"), "payments", "--to", "yesterday"]
    assert await asyncio.to_thread(main, with_typo) == 2
    assert "--to: must be TRIM_HORIZON, LATEST, a time" in capsys.readouterr().err
