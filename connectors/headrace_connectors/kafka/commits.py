"""Commits of many partitions in one request: what comes while one is on its way goes with the next."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from threading import Lock
from typing import TypeAlias

from headrace.ownthread import OwnThread
from headrace_connectors.kafka.client import Fenced, KafkaClient, Offset, TopicPartition

Outcome: TypeAlias = Mapping[TopicPartition, Exception]
"""What was raised, for the partitions whose offset was not written."""


class Commits:
    """Written in the *calls* thread, behind everything that was asked of it before."""

    def __init__(self, calls: OwnThread, seconds: float) -> None:
        self._calls, self._seconds = calls, seconds
        self._waiting: dict[TopicPartition, Offset] = {}
        self._writing: asyncio.Future[Outcome] | None = None
        self._lock = Lock()

    async def write(self, client: KafkaClient, offsets: Mapping[TopicPartition, Offset]) -> None:
        """As `KafkaClient.commit`."""
        with self._lock:
            self._waiting |= offsets
            writing = self._writing = self._writing or self._calls.begin(lambda: self._write_all(client))
        failed = await asyncio.shield(writing)
        for part in offsets:
            if part in failed:
                raise failed[part]

    def _write_all(self, client: KafkaClient) -> Outcome:
        with self._lock:
            offsets, self._waiting, self._writing = self._waiting, {}, None
        try:
            client.commit(offsets, self._seconds)
        except Fenced as fenced:
            return dict.fromkeys(offsets, fenced)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            return self._one_by_one(client, offsets) if len(offsets) > 1 else dict.fromkeys(offsets, error)
        return {}

    def _one_by_one(self, client: KafkaClient, offsets: Mapping[TopicPartition, Offset]) -> Outcome:
        """Of one that cannot be written, the others shall not suffer: its topic may be gone, or denied."""
        failed: dict[TopicPartition, Exception] = {}
        for part, offset in offsets.items():
            try:
                client.commit({part: offset}, self._seconds)
            except Exception as error:  # noqa: BLE001 - as above
                failed[part] = error
        return failed
