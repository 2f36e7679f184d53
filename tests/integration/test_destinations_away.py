"""A queue's messages while their destination is away, of each kind: held, not handled again, then there.

Mutations: dropped; deleted before it is confirmed; a client that stays broken; each of them twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from headrace_connectors import SqsPoller
from support.places import Place
from support.queues import counts, send_all
from support.receiver import Receiver
from support.redis import Valkey
from support.servers import Ministack

NewQueue = Callable[..., Awaitable[str]]
COUNT = 7


@dataclass
class Away:
    """A destination as a config names it, whose server is down; `up` starts it, `records` are those that it has."""

    block: dict[str, Any]
    up: Callable[[], Awaitable[None]]
    records: Callable[[], Awaitable[list[Any]]]


async def in_aws(word: str, stack: AsyncExitStack, account: str, folder: Path) -> Away:
    server = await asyncio.to_thread(Ministack().start)
    stack.push_async_callback(asyncio.to_thread, server.__exit__)
    await asyncio.to_thread(server.stop)
    place = await stack.enter_async_context(Place(word, server.url, account, folder))

    async def up() -> None:
        await asyncio.to_thread(server.start)
        await place.make()

    block = {"type": word, **(place.kind.text(place.arn) or {}), "endpoint_url": server.url}
    return Away(block, up, lambda: place.arrived(COUNT))


async def redis(word: str, stack: AsyncExitStack, *_: Any) -> Away:
    server = stack.enter_context(Valkey(persist=True))
    server.stop()

    async def records() -> list[Any]:
        async with Redis(host="127.0.0.1", port=server.port) as client:
            return [json.loads(given[b"body"]) for _, given in await client.xrange("failed")]

    async def up() -> None:
        await asyncio.to_thread(server.start)

    return Away({"type": word, "url": server.url, "stream": "failed"}, up, records)


async def http(word: str, stack: AsyncExitStack, *_: Any) -> Away:
    server = Receiver()

    async def up() -> None:
        await server.start()
        stack.push_async_callback(server.stop)

    async def records() -> list[Any]:
        return [json.loads(one.body)["data"] for one in server.posted]

    return Away({"type": word, "url": server.url}, up, records)


pytestmark = pytest.mark.usefixtures("in_aws")


@pytest.mark.parametrize(
    ("word", "made"), [("eventbridge", in_aws), ("lambda", in_aws), ("redis", redis), ("http", http)]
)
async def test_held_until_it_is_there(
    *, word: str, made: Any, new_queue: NewQueue, sqs: Any, account: str, tmp_path: Path
) -> None:
    url, tries = await new_queue(visibility_timeout=600), list[str]()
    names = await send_all(sqs, url, [f"{n}" for n in range(COUNT)])

    def fail(event: dict[str, Any], context: Any) -> None:
        tries.extend(record["messageId"] for record in event["Records"])
        raise ValueError("boom")

    async with AsyncExitStack() as stack:
        away = await made(word, stack, account, tmp_path)
        to = {"on_failure": {"destination": away.block}}
        poller = SqsPoller(queue_url=url, handler=fail, name="m", maximum_retry_attempts=0, destination_config=to)
        async with asyncio.timeout(120), poller:
            running = asyncio.ensure_future(poller.run())
            while poller.condition.state != "holding":
                await asyncio.sleep(0.05)
            assert word in poller.condition.reason
            assert sum(await counts(sqs, url)) == COUNT
            await away.up()
            while not await poller.idle():
                await asyncio.sleep(0.05)
            poller.stop()
            await running
        records = await away.records()
    assert sorted(one["payload"]["Records"][0]["messageId"] for one in records) == sorted(names)
    assert {one["requestContext"]["condition"] for one in records} == {"RetryAttemptsExhausted"}
    assert sorted(tries) == sorted(names)
    assert await counts(sqs, url) == (0, 0, 0)
