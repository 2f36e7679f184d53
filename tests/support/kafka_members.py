"""A member of a consumer group for tests: a client of ours, polled by a thread as a source does, and what it told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from kafka import KafkaProducer

from headrace_connectors.kafka.client import Done, KafkaClient, TopicPartition
from headrace_connectors.kafka.clients import of_kafka_python, of_librdkafka
from headrace_connectors.kafka.confluent import ConfluentClient
from headrace_connectors.kafka.kafka_python import KafkaPythonClient
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.watching import Watch

T = TypeVar("T")
PATIENCE = 40.0
"""Seconds that something may take on a busy machine before a test says that it never came."""


def until(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for *what* to be true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


class Driven:
    """Tells everything to its lists. *wait*: seconds a poll. `hold` keeps revoked partitions until it is set again."""

    def __init__(self, servers: str, group: str, topics: Sequence[str], *, wait: float = 0.1, **options: Any) -> None:
        self._wait = wait
        self.options = KafkaOptions(bootstrap_servers=servers, topics=list(topics), **options)
        self.told: list[tuple[str, list[TopicPartition]]] = []
        self.ours: set[TopicPartition] = set()
        self.records: list[Any] = []
        self.raised: list[Exception] = []
        self.hold, self.closed = threading.Event(), threading.Event()
        self.hold.set()
        self._orders: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._still = threading.Event()
        confluent = self.options.client == "confluent"
        make, words = (ConfluentClient, of_librdkafka) if confluent else (KafkaPythonClient, of_kafka_python)
        self.client: KafkaClient = make(words(self.options), self.options, group=group, membership=self, watch=Watch())
        threading.Thread(target=self._poll, daemon=True).start()

    def _poll(self) -> None:
        while not self.closed.is_set():
            while not self._orders.empty():
                future, work = self._orders.get()
                try:
                    future.set_result(work())
                except Exception as error:
                    future.set_exception(error)
            if self._still.is_set():
                time.sleep(0.02)
                continue
            try:
                for messages in self.client.poll(self._wait).values():
                    self.records += messages
            except Exception as error:
                self.raised.append(error)
                time.sleep(0.1)

    def do(self, work: Callable[[], T]) -> T:
        """In the thread that polls."""
        future: Future[T] = Future()
        self._orders.put((future, work))
        return future.result(PATIENCE)

    def read(self, part: TopicPartition, offset: int) -> None:
        self.do(lambda: (self.client.seek(part, offset), self.client.resume(part)))

    def position(self, part: TopicPartition) -> int | None:
        return self.do(lambda: self.client.position(part))

    def stand_still(self) -> None:
        """Poll no more, as a process that hangs."""
        self._still.set()

    def go_on(self) -> None:
        self._still.clear()

    def close(self) -> None:
        if not self.closed.is_set():
            self.hold.set()
            self.go_on()

            def leave() -> None:
                self.closed.set()
                self.client.close(10)

            self.do(leave)

    def faults(self, kind: type[Exception]) -> list[Exception]:
        return [error for error in self.raised if isinstance(error, kind)]

    def moved(self) -> list[tuple[str, list[TopicPartition]]]:
        """What it was told with partitions in it."""
        return [(what, parts) for what, parts in self.told if parts]

    # as `Membership`

    def assigned(self, parts: Sequence[TopicPartition]) -> None:
        self.told.append(("assigned", list(parts)))
        self.ours |= set(parts)

    def revoked(self, parts: Sequence[TopicPartition], done: Done) -> None:
        self._let_go("revoked", parts, done)

    def lost(self, parts: Sequence[TopicPartition], done: Done) -> None:
        self._let_go("lost", parts, done)

    def _let_go(self, what: str, parts: Sequence[TopicPartition], done: Done) -> None:
        self.told.append((what, list(parts)))
        self.ours -= set(parts)

        def wait() -> None:
            self.hold.wait()
            done()

        threading.Thread(target=wait, daemon=True).start()


@contextmanager
def member(*args: Any, **options: Any) -> Iterator[Driven]:
    one = Driven(*args, **options)
    try:
        yield one
    finally:
        one.close()


def produce(servers: str, topic: str, counts: Mapping[int, int], value: bytes = b"%d") -> None:
    """So many records to each partition; their values are their numbers."""
    producer = KafkaProducer(bootstrap_servers=servers)
    for partition, count in counts.items():
        for number in range(count):
            producer.send(topic, value % number if b"%" in value else value, partition=partition)
    producer.flush()
    producer.close()
