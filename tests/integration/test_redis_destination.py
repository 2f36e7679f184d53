"""What is added to a Redis stream, on real servers: one alone, behind a sentinel, in a cluster.

What can befall it is in test_destination_table.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import MovedError

from headrace.destination import CONFIRMED, Destination, Message, Said
from headrace.testing import FaultProxy
from headrace_connectors.destinations import stream as file
from headrace_connectors.destinations.redis import RedisDestinationOptions
from headrace_connectors.destinations.redis import redis as kind
from headrace_connectors.limits import REDIS
from headrace_connectors.redis import connecting
from support.messages import message, opening
from support.redis import Cluster, RedisServer, Sentinel, Valkey, servers, wait_until

STREAM = "failed"


@pytest.fixture(scope="module", params=servers(), ids=lambda one: one.name)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with request.param() as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        request.getfixturevalue("server").ask("FLUSHALL")


@asynccontextmanager
async def opened(url: str, **given: Any) -> AsyncIterator[Destination]:
    destination = kind.open(opening(), RedisDestinationOptions(url=url, **{"stream": STREAM, **given}))
    try:
        yield destination
    finally:
        await destination.close()


async def entries(port: int) -> list[dict[bytes, bytes]]:
    async with Redis(host="127.0.0.1", port=port) as client:
        return [given for _, given in await client.xrange(STREAM)]


def messages(*numbers: int, **more: Any) -> list[Message]:
    return [message(f"m{n}", json.dumps({"n": n}).encode(), **more) for n in numbers]


def numbers(found: list[dict[bytes, bytes]]) -> list[int]:
    return [json.loads(one[b"body"])["n"] for one in found]


async def test_one_entry_a_record_in_their_order(server: RedisServer) -> None:
    """More than a pipeline takes. Mutations: another order; what goes beside the body left out."""
    async with opened(server.url) as destination:
        beside = {"condition": "RetriesExhausted", "function": "f", "hops": 2, "attributes": {"ErrorCode": "200"}}
        assert await destination.send(messages(*range(250), key="ä", **beside)) == [CONFIRMED] * 250
    found = await entries(server.port)
    assert numbers(found) == list(range(250))
    assert found[0] == {
        b"id": b"m0",
        b"condition": b"RetriesExhausted",
        b"function": b"f",
        b"lane": b"lane",
        b"key": "ä".encode(),
        b"ErrorCode": b"200",
        b"headrace-hops": b"2",
        b"body": b'{"n": 0}',
    }


async def test_a_stream_may_be_kept_short(server: RedisServer) -> None:
    """About so: Redis drops whole nodes, of 100 entries. Mutations: kept exactly, which costs; not at all."""
    async with opened(server.url, maxlen=100) as destination:
        await destination.send(messages(*range(1000)))
    assert 100 <= len(await entries(server.port)) <= 200
    assert numbers(await entries(server.port))[-1] == 999


async def test_what_stands_in_the_way_is_told_and_held(server: RedisServer) -> None:
    """Every answer is read. Mutation: an exception among them taken for an id."""
    server.ask("SET", STREAM, "x")
    async with opened(server.url) as destination:
        replies = await destination.send(messages(1, 2))
        assert [one.said for one in replies] == [Said.FAILED] * 2
        assert "name another stream" in replies[0].reason
        (fault,) = (await kind.probe(opening(), RedisDestinationOptions(url=server.url, stream=STREAM))).faults
        assert fault.message.startswith("is a string there")
        server.ask("DEL", STREAM)
        assert await destination.send(messages(1, 2)) == [CONFIRMED] * 2
    assert [*(await kind.probe(opening(), RedisDestinationOptions(url=server.url, stream=STREAM))).faults] == []


async def test_who_may_not_write_is_told_what_is_missing(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "shop", "on", ">planted", "~*", "+ping", "+type")
    url = server.url.replace("redis://", "redis://shop:planted@")
    async with opened(url) as destination:
        (reply,) = await destination.send(messages(1))
        assert (reply.said, reply.reason.endswith("allow this user +xadd on the stream's key")) == (Said.FAILED, True)
        server.ask("ACL", "SETUSER", "shop", "+xadd")
        assert await destination.send(messages(1)) == [CONFIRMED]
    async with opened(url.replace("planted", "planted2")) as destination:
        (reply,) = await destination.send(messages(1))
        assert (reply.said, "correct user and password" in reply.reason) == (Said.FAILED, True)
        assert "planted" not in destination.name + reply.reason


async def test_a_lost_answer_is_no_yes_and_what_is_sent_again_has_its_id(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once. Mutations: silence taken for a yes; another id, by which no reader can tell."""
    monkeypatch.setattr(connecting, "TIMEOUT", 0.5)
    async with FaultProxy("127.0.0.1", server.port) as proxy, opened(f"redis://127.0.0.1:{proxy.port}") as destination:
        assert await destination.send(messages(1)) == [CONFIRMED]
        proxy.black_hole(requests=False)
        assert [one.said for one in await destination.send(messages(2))] == [Said.FAILED]
        proxy.heal()
        assert await destination.send(messages(2)) == [CONFIRMED]
    assert [one[b"id"] for one in await entries(server.port)] == [b"m1", b"m2", b"m2"]


@contextmanager
def behind_a_sentinel() -> Iterator[tuple[str, list[int]]]:
    with Valkey() as primary, Sentinel(primary) as sentinel:
        wait_until(lambda: "flags=master," in sentinel.ask("INFO", "sentinel") or "status=ok" in sentinel.ask("INFO"))
        yield sentinel.url, [primary.port]


@contextmanager
def in_a_cluster() -> Iterator[tuple[str, list[int]]]:
    with Cluster() as cluster:
        yield cluster.url, [node.port for node in cluster.nodes]


@pytest.mark.parametrize("place", [behind_a_sentinel, in_a_cluster])
async def test_the_places_are_those_of_the_ledger(place: Any) -> None:
    """Mutation: one server alone is understood."""
    with place() as (url, ports):
        async with opened(url) as destination:
            assert await destination.send(messages(*range(150))) == [CONFIRMED] * 150
        found: list[int] = []
        for port in ports:
            with suppress(MovedError):
                found += numbers(await entries(port))
        assert found == list(range(150))
        assert [*(await kind.probe(opening(), RedisDestinationOptions(url=url, stream=STREAM))).faults] == []


@pytest.mark.parametrize("url", ["http://h", "redis://", "redis://a,b", "redis+cluster://h/3", "redis://u:planted@h/x"])
def test_a_url_that_means_nothing_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"url") as raised:
        RedisDestinationOptions(url=url, stream="s")
    assert "planted" not in str(raised.value)


def test_a_ledgers_key_is_no_stream() -> None:
    options = RedisDestinationOptions(url="redis://h", stream="headrace:{s/m}")
    assert [fault.path for fault in kind.check(opening(), options)] == ["stream"]


async def test_what_no_server_takes_is_refused(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "REDIS", replace(REDIS, message=8))
    async with opened(server.url) as destination:
        replies = await destination.send(messages(1, 2000, 3))
    assert [one.said for one in replies] == [Said.CONFIRMED, Said.REFUSED, Said.CONFIRMED]
    assert numbers(await entries(server.port)) == [1, 3]


async def test_a_cluster_that_is_away_is_told_and_held() -> None:
    """Its client has an error of its own for it. Mutation, tried: that one is not read, and ends the mapping."""
    url = "redis+cluster://127.0.0.1:1"
    async with opened(url) as destination:
        (reply,) = await destination.send(messages(1))
        assert (reply.said, "cannot be connected" in reply.reason) == (Said.FAILED, True)
    (fault,) = (await kind.probe(opening(), RedisDestinationOptions(url=url, stream="s"))).faults
    assert fault.path == "url"


async def test_what_this_server_does_not_take_is_refused_alone(server: RedisServer) -> None:
    """A server may be told to take less; it hangs up then. Mutations, tried: what goes with it is held too, and added
    at every try; refused though nobody knows why the connection was cut.
    """
    mib = 2**20
    server.ask("CONFIG", "SET", "proto-max-bulk-len", str(mib))
    some = [message(name, b"x" * size) for name, size in (("a", 1), ("b", mib), ("c", mib + 1), ("d", 1))]
    try:
        async with opened(server.url) as destination:
            replies = await destination.send(some)
        assert [one.said for one in replies] == [Said.CONFIRMED, Said.CONFIRMED, Said.REFUSED, Said.CONFIRMED]
        assert replies[2].reason.endswith("takes 1048577 bytes, and this Redis (proto-max-bulk-len) takes 1048576")
        assert [one[b"id"] for one in await entries(server.port)] == [b"a", b"b", b"d"]
        server.ask("ACL", "SETUSER", "shop", "on", ">planted", "~*", "+ping", "+xadd")
        async with opened(server.url.replace("redis://", "redis://shop:planted@")) as destination:
            replies = await destination.send(some)
        assert [one.said for one in replies] == [Said.CONFIRMED, Said.CONFIRMED, Said.FAILED, Said.FAILED]
        assert "raise the server's proto-max-bulk-len" in replies[2].reason
    finally:
        server.ask("CONFIG", "SET", "proto-max-bulk-len", str(512 * mib))
