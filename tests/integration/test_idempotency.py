"""`idempotency` of pollers on real servers: a FIFO queue in order, and a stream whose records lie in several shards."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headrace_connectors import KinesisPoller, SqsPoller
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client, make_stream, put
from support.queues import counts, send_all
from support.servers import REGION

NewQueue = Callable[..., Awaitable[str]]


async def run_until_idle(poller: Any) -> None:
    async with asyncio.timeout(60), poller:
        running = asyncio.ensure_future(poller.run())
        while not await poller.idle():
            await asyncio.sleep(0.2)
        poller.stop()
        await running
    assert all(tally.balance == 0 for tally in poller.tally.values())


def deduplicated(poller: Any) -> int:
    return sum(tally.deduplicated for tally in poller.tally.values())


async def test_a_fifo_queue_keeps_its_order(
    new_queue: NewQueue, sqs: Any, aws_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over a restart too: the second poller knows what the first has run."""
    for name, value in aws_env.items():
        monkeypatch.setenv(name, value)
    url = await new_queue(fifo=True, visibility_timeout=3)  # so long a receive that was cut off keeps the group
    seen: list[int] = []

    def handler(event: dict[str, Any], _: Any) -> None:
        seen.extend(json.loads(record["body"])["id"] for record in event["Records"])

    def poller() -> SqsPoller:
        state = f"sqlite:{tmp_path}/state.db"
        return SqsPoller(queue_url=url, handler=handler, state=state, idempotency={"key": "body.id"})

    for numbers, missed in (((1, 2, 1, 3, 2, 4), 2), ((4, 5, 3), 2)):
        bodies = [json.dumps({"id": number}) for number in numbers]
        await send_all(sqs, url, bodies, ["g"] * len(bodies))
        one = poller()
        await run_until_idle(one)
        assert deduplicated(one) == missed
    assert seen == [1, 2, 3, 4, 5]
    assert await counts(sqs, url) == (0, 0, 0)


async def test_a_key_in_several_shards_is_run_once(
    kinesis_local: KinesisLocal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a record without one as often as it comes."""
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)
    seen: list[str] = []

    async def handler(event: dict[str, Any], _: Any) -> None:
        await asyncio.sleep(0.1)
        seen.extend(base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"])

    async with kinesis_client(kinesis_local.url) as client:
        stream = await make_stream(client, shards=4)
        texts = [json.dumps({"id": number % 5}) for number in range(40)] + ["{}", "{}"]
        await put(client, stream, texts, [f"p{number}" for number in range(len(texts))])
        poller = KinesisPoller(
            stream=stream,
            handler=handler,
            endpoint_url=kinesis_local.url,
            region=REGION,
            state="memory:",
            starting_position="TRIM_HORIZON",
            idempotency={"key": "data.id", "expires_after": 600},
        )
        await run_until_idle(poller)
    assert sorted(seen) == sorted([json.dumps({"id": number}) for number in range(5)] + ["{}", "{}"])
    assert deduplicated(poller) == 35
