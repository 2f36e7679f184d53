"""What the fault tests share: a plain client, books, and services that do not outlive their test.

| fixture | is |
|---|---|
| plain | an aiobotocore client that repeats nothing by itself, straight to the shared server |
| books | the producer's and the handler's files of this test |
| fifo | `await fifo(visibility_timeout=…)` -> the URL of a new FIFO queue |
| server | a running SQS server of this test's own, which keeps its queues over a restart |
| way | a way to read Kafka: the classic groups of both clients, or what a test names of `WAYS` |
| launch | `launch(config, environment)` -> a `Service`, not started; killed when the test ends |
| serve | `serve(config, endpoint=…, SECONDS=…)` -> the same, on the shared server |
"""

from __future__ import annotations

import asyncio
import functools
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.groups import GroupBooks
from support.kafka_ways import CLASSIC, Way
from support.queues import sqs_client
from support.servers import Ministack, aws_environment
from support.service import Service


@pytest.fixture
async def plain(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with sqs_client(ministack.url, account, retries={"total_max_attempts": 1}) as client:
        yield client


@pytest.fixture(scope="module")
def _nothing_left_open() -> Iterator[None]:
    """What clients in this process left open is collected here, and not in another module's test."""
    yield
    gc.collect()


@pytest.fixture
def books(tmp_path: Path) -> GroupBooks:
    return GroupBooks(tmp_path)


@pytest.fixture
def fifo(new_queue: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[str]]:
    return functools.partial(new_queue, fifo=True)


@pytest.fixture
async def server() -> AsyncIterator[Ministack]:
    """A server of this test's own, which keeps its queues over a restart."""
    own = await asyncio.to_thread(Ministack(persist=True).start)
    try:
        yield own
    finally:
        await asyncio.to_thread(own.__exit__)


@pytest.fixture(params=CLASSIC, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[[dict[str, Any], dict[str, str]], Service]]:
    services: list[Service] = []

    def make(settings: dict[str, Any], environment: dict[str, str]) -> Service:
        service = Service(tmp_path / f"service-{len(services)}", settings, environment)
        services.append(service)
        return service

    yield make
    for service in services:
        service.stop()


@pytest.fixture
def serve(
    ministack: Ministack, account: str, books: GroupBooks, launch: Callable[..., Service]
) -> Callable[..., Service]:
    def make(settings: dict[str, Any], *, endpoint: str | None = None, **environment: object) -> Service:
        around = {
            **aws_environment(endpoint or ministack.url, account),
            "BOOK": str(books.handled),
            **{name: str(value) for name, value in environment.items()},
        }
        return launch(settings, around)

    return make
