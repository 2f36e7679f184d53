"""The servers that a suite of every Redis runs against, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.redis import RedisServer, servers


@pytest.fixture(scope="module", params=servers(), ids=lambda kind: kind.name)
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    kind: type[RedisServer] = request.param
    with kind() as server:
        yield server.url
