"""Fleets whose stream is a fake of an AWS service, read by its real connector."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headrace.plugins import Opening
from headrace.shards import Shards
from headrace_connectors.dynamodb.options import DynamoDBOptions
from headrace_connectors.dynamodb.source import DynamoDBShards
from headrace_connectors.kinesis.options import KinesisOptions
from headrace_connectors.kinesis.source import KinesisShards
from support.dynamodb import connected_to
from support.fake_dynamodb import FakeDynamoDB
from support.fake_kinesis import FakeKinesis
from support.fleet import Fleet


def by_key(names: Sequence[str]) -> dict[str, list[str]]:
    """Names are `key/number`: those of each key, in their order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        found[name.partition("/")[0]].append(name)
    return found


class DynamoDBFleet(Fleet):
    """Workers that read the latest stream of `fake`'s table; records are named by the attribute `name`."""

    def __init__(self, fake: FakeDynamoDB, **settings: Any) -> None:
        super().__init__(**settings)
        self.fake = fake
        self.options = DynamoDBOptions(table=fake.name)

    def shards(self, opening: Opening) -> Shards:
        return DynamoDBShards(opening, connected_to(self.fake))

    def name(self, record: Any) -> str:
        return str(record["dynamodb"]["NewImage"]["name"]["S"])


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
