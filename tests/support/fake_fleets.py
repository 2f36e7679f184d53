"""Fleets whose stream is a fake of an AWS service, read by its real connector."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from headrace.plugins import Opening
from headrace.shards import Shards
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.kinesis.source import KinesisShards
from support.fake_kinesis import FakeKinesis
from support.fleet import Fleet


class KinesisFleet(Fleet):
    """Workers that read `fake`, whose clock is its own: `clock` is the workers'."""

    def __init__(self, fake: FakeKinesis, **settings: Any) -> None:
        super().__init__(**settings)
        self.fake = fake
        self.options = KinesisOptions(stream=fake.name)

    def shards(self, opening: Opening) -> Shards:
        @asynccontextmanager
        async def connect() -> AsyncIterator[Any]:
            yield self.fake

        return KinesisShards(opening, connect)

    def name(self, record: Any) -> str:
        return base64.b64decode(record["kinesis"]["data"]).decode()
