"""Reading topics of Apache Kafka: headrace against bare poll loops, one a client library, and against FastStream.

Each run is a process of its own, with a group of its own, from the beginning of a topic of four partitions that lies
ready on a broker which all runs share. Its clock starts when the first tenth has been handled (by then it has joined,
and everything is loaded), and stops when the last record was handled, and with headrace settled.

* `kafka-python`, `confluent`: what one writes with the client alone: poll, make Lambda's event of each hundred records
  of a partition, call the handler, commit every second.
* `headrace`, `headrace on confluent`: a mapping with `client: kafka-python` (the default) and `client: confluent`, an
  async handler, batches of a hundred (the default). It also counts, watches its membership, and commits what is
  settled. Python's garbage collector is set as `headrace run` sets it (`headrace.service.collector`).
* The same `as a library`: the collector as Python comes, as in a program that has a mapping as an object.
* `FastStream`: its subscriber over aiokafka, `batch=True`, a hundred records at most; its own environment. It makes
  objects of its own of each record, and no event.

Run alone: `python benchmarks/topics.py headrace 100000 200`: records, and bytes of each value.
"""
# Not kafka.py: every import of the client's package would find it.

# ruff: noqa: PLC0415 - each runs in an environment that lacks the others' packages

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import harness

PARTITIONS = 4
HUNDRED = 100
VALUES = {200: 200_000, 2000: 60_000}
"""Bytes of a value, and how many records a run reads."""
BARE = {
    "headrace": "kafka-python",
    "headrace as a library": "kafka-python",
    "headrace on confluent": "confluent",
    "headrace on confluent as a library": "confluent",
    "FastStream": "kafka-python",
}
"""The loop that each is compared with."""
TARGETS = {"headrace": 0.95, "headrace on confluent": 0.85}
"""Of the records a second of its bare loop, at least."""
PEER = "FastStream"
PEER_PINS = ("faststream[kafka]==0.7.8",)
TYPES = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}


class Meter:
    """Counts handled records; measures from the first tenth to the last."""

    def __init__(self, total: int) -> None:
        self.total, self._warm = total, total // 10
        self.handled = self._counted = 0
        self._wall = self._cpu = 0.0

    def handle(self, count: int) -> bool:
        """True when these were the last."""
        self.handled += count
        if not self._counted and self.handled >= self._warm:
            self._counted = self.total - self.handled
            self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self.handled >= self.total

    def result(self) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        assert self.handled == self.total, self.handled
        return {"per_second": self._counted / wall, "cpu_us": cpu / self._counted * 1e6}


def run_kafka_python(servers: str, topic: str, total: int) -> dict[str, float]:
    from kafka import KafkaConsumer

    meter = Meter(total)
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=secrets.token_hex(6),
        auto_offset_reset="earliest",
        enable_auto_commit=True,
        auto_commit_interval_ms=1000,
        max_poll_records=2000,
    )
    last = False
    while not last:
        for (name, number), messages in consumer.poll(timeout_ms=100).items():
            for start in range(0, len(messages), HUNDRED):
                shown = [
                    {
                        "topic": one.topic,
                        "partition": one.partition,
                        "offset": one.offset,
                        "timestamp": one.timestamp,
                        "timestampType": TYPES[one.timestamp_type],
                        **({} if one.key is None else {"key": base64.b64encode(one.key).decode()}),
                        "value": None if one.value is None else base64.b64encode(one.value).decode(),
                        "headers": [{key: list(value)} for key, value in one.headers],
                    }
                    for one in messages[start : start + HUNDRED]
                ]
                last = _handle(meter, servers, f"{name}-{number}", shown)
    result = meter.result()
    consumer.close()
    return result


def run_confluent(servers: str, topic: str, total: int) -> dict[str, float]:
    from confluent_kafka import Consumer

    meter = Meter(total)
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": secrets.token_hex(6),
            "auto.offset.reset": "earliest",
            "auto.commit.interval.ms": 1000,
        }
    )
    consumer.subscribe([topic])
    last = False
    while not last:
        parts: dict[int, list[Any]] = {}
        for one in consumer.consume(2000, 0.1):
            assert not one.error(), one.error()
            parts.setdefault(one.partition(), []).append(one)
        for number, messages in parts.items():
            for start in range(0, len(messages), HUNDRED):
                shown = []
                for one in messages[start : start + HUNDRED]:
                    kind, timestamp = one.timestamp()
                    key, value = one.key(), one.value()
                    shown.append(
                        {
                            "topic": topic,
                            "partition": number,
                            "offset": one.offset(),
                            "timestamp": timestamp,
                            "timestampType": TYPES[kind - 1],
                            **({} if key is None else {"key": base64.b64encode(key).decode()}),
                            "value": None if value is None else base64.b64encode(value).decode(),
                            "headers": [{name: list(more)} for name, more in one.headers() or ()],
                        }
                    )
                last = _handle(meter, servers, f"{topic}-{number}", shown)
    result = meter.result()
    consumer.close()
    return result


def _handle(meter: Meter, servers: str, name: str, shown: list[dict[str, Any]]) -> bool:
    event = {"eventSource": "SelfManagedKafka", "bootstrapServers": servers, "records": {name: shown}}
    return meter.handle(sum(map(len, event["records"].values())))  # type: ignore[attr-defined]


def run_headrace(servers: str, topic: str, total: int, client: str) -> dict[str, float]:
    """In a process as `headrace run` has it."""
    from headrace.service import collector

    with collector.seldom():
        return run_library(servers, topic, total, client)


def run_library(servers: str, topic: str, total: int, client: str) -> dict[str, float]:
    return asyncio.run(_run_headrace(servers, topic, total, client))


async def _run_headrace(servers: str, topic: str, total: int, client: str) -> dict[str, float]:
    from headrace.observe import configure_logging
    from headrace.poller import Poller
    from headrace_connectors.catalog import catalog
    from headrace_connectors.kafka.registration import kafka

    configure_logging(level="error")
    meter, last = Meter(total), asyncio.Event()

    async def handler(event: dict[str, Any], _context: object) -> None:
        if meter.handle(sum(map(len, event["records"].values()))):
            last.set()

    arguments = {
        "topics": [topic],
        "bootstrap_servers": servers,
        "consumer_group_id": secrets.token_hex(6),
        "starting_position": "TRIM_HORIZON",
        "client": client,
    }
    async with Poller(
        kafka,
        handler,
        arguments,
        name="benchmark",
        timeout=30,
        drain_timeout=30,
        state="memory:",
        catalog=catalog,
        sections={},
    ) as poller:
        running = asyncio.create_task(poller.run())
        await last.wait()
        while sum(tally.succeeded for tally in poller.tally.values()) < total:
            await asyncio.sleep(0.001)
        result = meter.result()
        poller.stop()
        await running
        assert not any(tally.balance for tally in poller.tally.values())
    return result


def run_faststream(servers: str, topic: str, total: int) -> dict[str, float]:
    return asyncio.run(_run_faststream(servers, topic, total))


async def _run_faststream(servers: str, topic: str, total: int) -> dict[str, float]:
    from faststream.kafka import KafkaBroker

    meter, last = Meter(total), asyncio.Event()
    broker = KafkaBroker(servers, logger=None)

    @broker.subscriber(
        topic, batch=True, max_records=HUNDRED, group_id=secrets.token_hex(6), auto_offset_reset="earliest"
    )
    async def handler(messages: list[bytes]) -> None:
        if meter.handle(len(messages)):
            last.set()

    async with broker:
        await broker.start()
        await last.wait()
        return meter.result()


CONTESTANTS: dict[str, Callable[[str, str, int], dict[str, float]]] = {
    "kafka-python": run_kafka_python,
    "headrace": lambda *place: run_headrace(*place, "kafka-python"),
    "headrace as a library": lambda *place: run_library(*place, "kafka-python"),
    "confluent": run_confluent,
    "headrace on confluent": lambda *place: run_headrace(*place, "confluent"),
    "headrace on confluent as a library": lambda *place: run_library(*place, "confluent"),
    PEER: run_faststream,
}


@contextmanager
def filled() -> Iterator[tuple[str, dict[int, str]]]:
    """A broker's address, and the topics of each size of value, with as many records as a run reads."""
    from headrace_connectors.testbed import installation
    from headrace_connectors.testbed.apache import ApacheKafka

    with ApacheKafka(installation.prepare(harness.HERE.parent / ".cache")) as broker:
        yield broker.bootstrap_servers, {size: _fill(broker.bootstrap_servers, size) for size in VALUES}


def _fill(servers: str, size: int) -> str:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    topic, total = f"values-{size}", VALUES[size]
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS)]).values():
        made.result(30)
    producer = Producer({"bootstrap.servers": servers, "queue.buffering.max.messages": total + 1, "linger.ms": 50})
    for number in range(total):
        value = json.dumps({"n": number, "text": ""}).encode().ljust(size, b".")
        producer.produce(topic, value, f"k{number % 1000}", partition=number % PARTITIONS)
        producer.poll(0)
    assert producer.flush(120) == 0
    return topic


def rounds(count: int) -> tuple[dict[tuple[int, str], list[dict[str, float]]], bool]:
    """*count* runs of each by size and contestant, in turns; and whether the peer was among them."""
    peer = harness.peer_python(PEER, PEER_PINS)
    pythons = {who: sys.executable for who in CONTESTANTS if who != PEER} | ({PEER: peer} if peer else {})
    runs: dict[tuple[int, str], list[dict[str, float]]] = {(size, who): [] for size in VALUES for who in pythons}
    with filled() as (servers, topics):
        for number in range(count):
            for size, topic in topics.items():
                for who in list(pythons)[:: -1 if number % 2 else 1]:
                    told = harness.run(pythons[who], "topics.py", who, servers, topic, VALUES[size])
                    runs[size, who].append(told)
    return runs, bool(peer)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) == len(("who", "total", "size")):
        who, total, size = arguments[0], int(arguments[1]), int(arguments[2])
        VALUES.clear()
        VALUES[size] = total
        python = harness.peer_python(PEER, PEER_PINS) if who == PEER else sys.executable
        with filled() as (servers, topics):
            print(json.dumps(harness.run(python or sys.executable, "topics.py", who, servers, topics[size], total)))
        return
    who, servers, topic, total = arguments[0], arguments[1], arguments[2], int(arguments[3])
    print(json.dumps(CONTESTANTS[who](servers, topic, total)))


if __name__ == "__main__":
    main(sys.argv[1:])
