"""Idempotency under kills: the same keys within one batch, in two lanes and in two processes.

Two copies on one store, each of which has several batches at the handler; one is killed every second or two. Each key
comes several times: twice in a row, again a little later, and again much later, which on a stream is in other shards
too. The judge is `support.keybooks`, which looks at the store itself. HEADRACE_KILLS (20; half of it on the
stream, whose copies must first get a lease) makes it longer, HEADRACE_STORES=all has each source on each store.

Mutations that these fail on, tried: a hold that ends with half of its call's time (two at once); a key that is held is
run all the same, or settled and never remembered (not all keys are remembered); what failed is remembered (lost).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.copies import Copies
from support.keybooks import hold, remembering
from support.kinesis import PRODUCER, KinesisServer, kinesis_client, make_stream, put
from support.queues import send_all
from support.redis import Valkey
from support.servers import aws_environment
from support.service import Service, boot, config, until

KILLS = int(os.environ.get("HEADRACE_KILLS", "20"))
ALL = os.environ.get("HEADRACE_STORES") == "all"
MOST = 20_000
"""Keys that one test may send."""

TIMEOUT = 2
Send = Callable[[list[str]], Awaitable[object]]


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    return folder


@pytest.fixture
def state(store: str, tmp_path: Path) -> Iterator[str]:
    if store == "sqlite":
        yield f"sqlite:{tmp_path}/state.db"
    else:
        with Valkey(persist=True) as server:
            yield server.url


@pytest.fixture
def torment(books: Path, launch: Callable[..., Service], state: str) -> Callable[..., Awaitable[None]]:
    """`await torment(kills, source, around, send, **mapping)`: two copies read *source* while *send* fills it."""

    async def run(kills: int, source: dict[str, Any], around: dict[str, str], send: Send, **more: Any) -> None:
        mapping = {
            "source": source,
            "function": "f",
            "batch_size": 5,
            "function_response_types": ["ReportBatchItemFailures"],
            **more,
        }
        functions = {"f": {"handler": "keyed_handlers.work", "timeout": TIMEOUT}}
        settings = config({"m": mapping}, functions=functions, state=state, lease_ttl=3, commit_interval=0.5)
        environment = {**around, "BOOKS": str(books), "SECONDS": "0.08", "FAILS": "2"}
        await _torment(kills, Copies(lambda: launch(settings, environment), 2), send, state, books)

    return run


async def _torment(count: int, copies: Copies, send: Send, state: str, books: Path) -> None:
    """Send, and kill; then wait until all of it is done, and judge."""
    chance, enough, kills, first = random.Random(4), asyncio.Event(), dict[int, float](), 0

    async def feed() -> None:
        nonlocal first
        while not enough.is_set():
            await send(bodies(chance, first))
            first += KEYS
            await asyncio.sleep(0.3)

    def at_work() -> list[int]:
        return [index for index, one in enumerate(copies.running) if (books / str(one.pid)).exists()]

    async with remembering(state, MOST) as memory:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            for _ in range(count):
                await until(at_work, why=copies.log_text)
                await asyncio.sleep(chance.uniform(0, 1.2))
                index = chance.choice(at_work())
                pid = copies.running[index].pid
                copies.kill(index)
                kills[pid] = boot()
            enough.set()
        await until(lambda: len(memory.seen) == first, why=copies.log_text)
        await asyncio.sleep(2)  # what is still run, or run again, shows
        await copies.stop()
    found = hold(books, range(first), kills, memory.seen)
    print(found)  # noqa: T201 - the measurement
    assert found.killed_at_work >= count / 4
    assert found.failed


KEYS = 6
"""New ones in what is sent together."""


def bodies(chance: random.Random, first: int) -> list[str]:
    """Each new key twice, close together or not, and some of before."""
    new = [first + number for number in range(KEYS)]
    again = [chance.randrange(max(first - 60, 0), first + KEYS) for _ in range(8)]
    keys = [key for key in new for _ in range(2)]
    if chance.random() < 0.5:
        chance.shuffle(keys)
    return [json.dumps({"k": key, "n": chance.getrandbits(48)}) for key in [*keys, *again]]


@pytest.mark.parametrize("store", ["sqlite", "valkey"] if ALL else ["sqlite"])
async def test_a_queue(plain, aws_env, new_queue, torment) -> None:
    url = await new_queue(visibility_timeout=3)
    more = {"scaling_config": {"maximum_concurrency": 10}, "idempotency": {"key": "body.k"}}
    await torment(KILLS, {"type": "sqs", "queue_url": url}, aws_env, lambda texts: send_all(plain, url, texts), **more)


@pytest.mark.parametrize("store", ["sqlite", "valkey"] if ALL else ["valkey"])
async def test_a_stream(roto: KinesisServer, torment) -> None:
    async with kinesis_client(roto.url) as client:
        stream = await make_stream(client, shards=3)

        async def send(texts: list[str]) -> None:
            await put(client, stream, texts, [str(random.getrandbits(32)) for _ in texts])

        more = {
            "starting_position": "TRIM_HORIZON",
            "parallelization_factor": 3,
            "idempotency": {"key": "data.k"},
            "retry_backoff": {"initial": 0.1, "maximum": 1},
        }
        around = aws_environment(roto.url, PRODUCER["AWS_ACCESS_KEY_ID"])
        await torment(KILLS // 2, {"type": "kinesis", "stream": stream}, around, send, **more)
