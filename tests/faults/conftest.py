"""What the fault tests share: a plain client, books, and services that do not outlive their test.

| fixture | is |
|---|---|
| plain | an aiobotocore client that repeats nothing by itself, straight to the shared server |
| books | the producer's and the handler's files of this test |
| serve | `serve(config, endpoint=…, SECONDS=…)` -> a `Service`, not started; killed when the test ends |
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.books import Books
from support.queues import sqs_client
from support.servers import Ministack, aws_environment
from support.service import Service


@pytest.fixture
async def plain(ministack: Ministack, account: str) -> AsyncIterator[Any]:
    async with sqs_client(ministack.url, account, retries={"total_max_attempts": 1}) as client:
        yield client


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


@pytest.fixture
def serve(ministack: Ministack, account: str, books: Books, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def make(settings: dict[str, Any], *, endpoint: str | None = None, **environment: object) -> Service:
        around = {
            **aws_environment(endpoint or ministack.url, account),
            "BOOK": str(books.handled),
            **{name: str(value) for name, value in environment.items()},
        }
        service = Service(tmp_path / f"service-{len(services)}", settings, around)
        services.append(service)
        return service

    yield make
    for service in services:
        service.stop()
