"""A topic of Apache Kafka for the table of faults: on the brokers that tests share, or on one that may be stopped."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourceType,
)

from headrace_connectors.testbed.apache import ApacheKafka
from support.kafka import Cluster
from support.kafka_secured import PASSWORD, USER, Secured
from support.kafka_sending import all_of
from support.sites import Find, Site, of_json, stopped

SMALL, LARGE = "5000", "1000000"
"""Bytes that a topic takes."""

HELD_UP = 1.0
"""Seconds."""


class KafkaSite(Site):
    why: ClassVar = {
        "down": "cannot be reached at .*; is it up",
        "silent": "no answer|Timeout",
        "partly": "larger than the topic .* takes",
        "denied": "not authorized for the topic; add an ACL that allows it to this principal",
        "large": "larger than the topic .* takes",
    }
    partly_is = "refused"
    limit = int(SMALL)
    spoilt = large = secrets.token_hex(20_000)  # not to be compressed below half

    def __init__(self, find: Find, folder: Path) -> None:
        super().__init__(find, folder)
        self._cluster = self._shared()
        self._login: dict[str, Any] = {"bootstrap_servers": self._cluster.bootstrap_servers}
        self._begin()

    def _shared(self) -> Cluster:
        cluster: Cluster = self.find("apache_kafka")
        return cluster

    def _begin(self) -> None:
        self._topic, self._seen = self._cluster.topic(), 0
        self.where = f"kafka {self._topic}"

    def lower(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A topic's limit is its own."""
        del monkeypatch
        self._takes(SMALL)

    @property
    def block(self) -> dict[str, Any]:
        return {"type": "kafka", "topic": self._topic, **self._login}

    async def found(self) -> list[Any]:
        messages = await all_of(self._cluster.bootstrap_servers, self._topic)
        new, self._seen = messages[self._seen :], len(messages)
        return of_json([one.value for one in new])

    @asynccontextmanager
    async def partly(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._takes, SMALL)
        yield
        await asyncio.to_thread(self._takes, LARGE)

    def _takes(self, nbytes: str) -> None:
        with self._cluster.admin() as admin:
            change = ConfigResource(ConfigResourceType.TOPIC, self._topic, {"max.message.bytes": nbytes})
            admin.alter_configs([change])

    @asynccontextmanager
    async def denied(self) -> AsyncIterator[None]:
        """On a broker that asks who comes: to a topic with an ACL for somebody else."""
        secured: Secured = self.find("secured_kafka")
        self._cluster = secured.plain
        self._begin()
        self._login = {
            "bootstrap_servers": secured.addresses["SASL"],
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_username": USER,
            "sasl_password": PASSWORD,
        }
        await asyncio.to_thread(self._allow, "somebody-else")
        yield
        await asyncio.to_thread(self._allow, USER)

    def _allow(self, user: str) -> None:
        topic = ResourcePattern(ResourceType.TOPIC, self._topic)
        may = ACL(f"User:{user}", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, topic)
        with self._cluster.admin() as admin:
            assert not admin.create_acls([may])["failed"]

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        raise NotImplementedError("on a broker of its own")
        yield

    late = silent = down


class OwnKafkaSite(KafkaSite):
    """On a broker that may be stopped and held up."""

    def _shared(self) -> Cluster:
        self._broker: ApacheKafka = self.find("broker")
        return Cluster(self._broker.bootstrap_servers)

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        async with stopped(self._broker):
            yield

    @asynccontextmanager
    async def late(self) -> AsyncIterator[None]:
        self._broker.pause()
        asyncio.get_running_loop().call_later(HELD_UP, self._broker.resume)
        yield

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        self._broker.pause()
        try:
            yield
        finally:
            self._broker.resume()
