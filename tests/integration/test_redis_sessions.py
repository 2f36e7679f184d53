"""Whether the Redis that answers is another than before: told in time, and only then. Real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from headrace.errors import LedgerUnavailable
from headrace.ledger import LedgerOpening, Shard
from headrace.testing import FaultProxy
from headrace_connectors.redis.ledger import RedisLedger, open_redis
from support.redis import Cluster, Valkey

GRAPH = [Shard(name="a", position="0")]


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[tuple[RedisLedger, Callable[[], int]]]:
    """A ledger, and how often it has told that its store may be another."""
    ledger = await open_redis(LedgerOpening(url=url, service="shop"))
    told: list[None] = []
    watching = asyncio.ensure_future(ledger.watch(lambda: told.append(None)))
    try:
        await asyncio.sleep(0.2)
        yield ledger, lambda: len(told)
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        await ledger.close()


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.sleep(0.02)


async def test_a_server_that_was_started_again_is_told_of_though_nothing_is_asked_of_it() -> None:
    """Mutation (tried): no connection that waits for its end."""
    with Valkey() as server:
        async with watched(server.url) as (_, told):
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.5)
            assert not told(), "nothing answers: it is away"
            await asyncio.to_thread(server.start)
            await until(told)
            assert told() == 1


async def test_a_call_that_meets_another_server_has_told_of_it_before_it_is_answered() -> None:
    """Mutation (tried): only the connection that waits is looked at."""
    with Valkey() as server:
        ledger = await open_redis(LedgerOpening(url=server.url, service="shop"))
        told: list[str] = []
        ledger._sessions.changed = lambda: told.append("another")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        with suppress(LedgerUnavailable):
            await ledger.rows("m")
            told.append("answered")
        await ledger.rows("m")
        assert told[0] == "another"
        await ledger.close()


async def test_the_same_server_is_the_same_however_many_connections_are_made_to_it() -> None:
    """Mutation (tried): each connection taken for a failover, so that every cut stops all dispatch."""
    with Valkey() as server:
        async with FaultProxy("127.0.0.1", server.port) as line, watched(f"redis://{line.address}") as (ledger, told):
            await asyncio.gather(*(ledger.rows("m") for _ in range(20)))
            for _ in range(3):
                accepted = line.accepted
                line.cut()
                await until(lambda accepted=accepted: line.accepted > accepted)
                with suppress(LedgerUnavailable):
                    await ledger.rows("m")
                await ledger.rows("m")
            assert told() == 0


async def test_a_server_that_accepts_and_says_nothing_is_no_other_store() -> None:
    """It is away: work goes on to the deadline. Mutation (tried): told of before the server has said anything."""
    with Valkey() as server:
        async with FaultProxy("127.0.0.1", server.port) as line, watched(f"redis://{line.address}") as (_, told):
            line.black_hole()
            accepted = line.accepted
            line.cut()
            await until(lambda: line.accepted > accepted + 1)
            assert told() == 0


async def test_a_server_that_does_not_let_itself_be_known_may_be_another_each_time() -> None:
    """A user without the right to INFO. Mutation (tried): what is not known taken for the same."""
    with Valkey() as server:
        server.ask("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-info")
        async with FaultProxy("127.0.0.1", server.port) as line, watched(f"redis://app:pw@{line.address}") as (_, told):
            before = told()
            line.cut()
            await until(lambda: told() > before)


@pytest.mark.parametrize("node", [0, 2])
async def test_a_node_of_a_cluster_that_was_started_again_is_told_of_with_the_next_call(node: int) -> None:
    """Mutation (tried): one store for the whole cluster, or none that is looked at."""
    with Cluster() as cluster:
        async with watched(cluster.url) as (ledger, told):
            mappings = [f"m{number}" for number in range(12)]
            for mapping in mappings:
                await ledger.plan(mapping, "stream", GRAPH)
            before = told()
            await asyncio.gather(*(ledger.rows(mapping) for mapping in 3 * mappings))
            assert told() == before
            await asyncio.to_thread(cluster.nodes[node].kill)
            await asyncio.to_thread(cluster.nodes[node].start)
            for mapping in mappings:
                with suppress(LedgerUnavailable):
                    await ledger.rows(mapping)
            assert told() > before
