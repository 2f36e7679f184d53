"""The Redis ledger when its server hangs, is flushed, emptied, or refuses: a real server each time."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from headrace.errors import ConfigError, LedgerError, LedgerUnavailable
from headrace.ledger import Ledger, LedgerOpening, Mark, Row, Shard
from headrace.model import LaneLost
from headrace.testing import FaultProxy
from headrace_connectors.redis.ledger import RedisLedger, open_redis
from headrace_connectors.redis.place import place
from headrace_connectors.redis.scripts import SCRIPTS
from support.redis import Cluster, RedisServer, Valkey, servers, unheard, wait_until

GRAPH = [Shard(name="a", position="0")]


@pytest.fixture(scope="module", params=servers(), ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    kind: type[RedisServer] = request.param
    with kind() as server:
        yield server


async def opened(url: str, service: str | None = None) -> RedisLedger:
    return await open_redis(LedgerOpening(url=url, service=service or secrets.token_hex(4)))


async def held(ledger: Ledger, owner: str = "w", ttl: float = 600):
    lease = await ledger.acquire("m", "a", owner, ttl)
    assert lease
    return lease


async def eventually(verb) -> Any:
    """Again while the store is away, as every caller does."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await verb()
            except LedgerUnavailable:
                await asyncio.sleep(0.05)


async def test_scripts_come_back_after_a_flush(server: RedisServer):
    """Catches: EVALSHA alone."""
    ledger = await opened(server.url)
    await ledger.plan("m", "stream", GRAPH)
    lease = await held(ledger)
    server.ask("SCRIPT", "FLUSH")
    await ledger.commit(lease, "1")
    server.ask("SCRIPT", "FLUSH")
    assert (await ledger.rows("m")).rows[0].position == "1"
    await ledger.close()


async def test_a_server_that_is_not_there_has_written_nothing(server: RedisServer):
    """Catches: a refused connection that is told as a lost answer."""
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        ledger = await opened(f"redis://{proxy.address}")
        await ledger.plan("m", "stream", GRAPH)
        lease = await held(ledger)
        proxy.refuse()
        proxy.cut()
        with pytest.raises(LedgerUnavailable) as looked:  # perhaps over one that does not know yet that it was cut
            await ledger.rows("m")
        assert looked.value.written is None
        assert "; " not in str(looked.value), "of what only reads nothing is said of writing"
        with pytest.raises(LedgerUnavailable, match=f"Redis at {proxy.address} does not answer.*nothing was written"):
            await ledger.commit(lease, "1")
        with pytest.raises(LedgerUnavailable, match="does not answer"):
            await opened(f"redis://{proxy.address}")
        proxy.heal()
        await ledger.commit(lease, "1")
        await ledger.close()


async def test_a_lost_answer_may_have_written_and_a_repeat_is_safe(server: RedisServer):
    """Every verb, carried out and not answered, and called again. Catches: a repeat that is taken for another's."""
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        ledger = await opened(f"redis://{proxy.address}")

        async def twice(verb):
            lost = await unheard(server, proxy, verb)
            assert "the write may have happened" in str(lost)
            assert lost.written
            return await verb()

        for script in SCRIPTS.values():
            server.ask("SCRIPT", "LOAD", script)
        await ledger.plan("m", "stream", GRAPH)
        assert await twice(lambda: ledger.add("m", "stream", [Shard(name="b", position="0")])) == set()
        lease = await twice(lambda: ledger.acquire("m", "a", "w", 600))
        assert (lease.epoch, lease.crashes) == (1, 0)
        await twice(lambda: ledger.commit(lease, "1", memo=b"m"))
        assert not (await twice(lambda: ledger.renew({lease: ""}, 600))).lost
        assert await twice(lambda: ledger.ask("m", "a", "other"))
        await twice(lambda: ledger.release(lease))
        lease = await held(ledger)
        await twice(lambda: ledger.commit(lease, "2", end=True))
        row = (await ledger.rows("m")).rows[0]
        assert (row.position, row.ended, row.epoch) == ("2", True, 2)
        assert await twice(lambda: ledger.forget("m", ["a"])) == set()
        old = (await ledger.rows("m")).generation
        assert not await twice(lambda: ledger.replan("m", old, "stream-2", GRAPH))
        graph = await ledger.rows("m")
        assert (graph.identity, [(row.shard, row.epoch) for row in graph.rows]) == ("stream-2", [("a", 4)])
        assert await twice(lambda: ledger.restore("m", "stream-2", graph.generation, [replace(row, epoch=9)])) == set()
        assert (await ledger.rows("m")).rows == (Row(shard="a", position="2", ended=True, epoch=9, memo=b"m"),)
        await ledger.close()


async def test_a_late_write_does_not_overtake_a_later_one(server: RedisServer):
    """A call that was given up may still lie in the server's socket. Catches: writes without a serial."""
    ledger = await opened(server.url)
    await ledger.plan("m", "stream", GRAPH)
    lease = await held(ledger)
    await ledger.commit(lease, "1")
    await ledger.commit(lease, "2")
    await ledger.mark(lease, Mark(position="3", attempt=2))
    ledger._serials = itertools.count(1)  # the first ones come again, as they were sent
    await ledger.commit(lease, "1")
    await ledger.mark(lease, Mark(position="3", attempt=1))
    row = (await ledger.rows("m")).rows[0]
    assert (row.position, row.mark) == ("2", Mark(position="3", attempt=2))
    await ledger.close()


async def test_each_owner_counts_its_own_writes(server: RedisServer):
    """Catches: a serial that is kept when the row changes hands, so that the next owner's first writes are dropped."""
    first, second = await opened(server.url, "counted"), await opened(server.url, "counted")
    await first.plan("m", "stream", GRAPH)
    lease = await held(first)
    for position in ("1", "2", "3"):
        await first.commit(lease, position)
    await first.release(lease)
    await second.commit(await held(second, "other"), "4")
    assert (await second.rows("m")).rows[0].position == "4"
    await first.close()
    await second.close()


async def test_a_silent_server_is_given_up(server: RedisServer):
    """Catches: a client without a time-out, which would outlive every lease."""
    ledger = await opened(server.url)
    await ledger.plan("m", "stream", GRAPH)
    server.pause()
    try:
        with pytest.raises(LedgerUnavailable):
            async with asyncio.timeout(30):
                await ledger.rows("m")
    finally:
        server.resume()
    assert (await ledger.rows("m")).identity == "stream"
    await ledger.close()


async def test_a_server_that_was_emptied_says_so(server: RedisServer):
    ledger = await opened(server.url)
    await ledger.plan("m", "stream", GRAPH)
    lease = await held(ledger)
    server.ask("FLUSHALL")
    with pytest.raises(LaneLost):
        await ledger.commit(lease, "1")
    renewal = await ledger.renew({lease: ""}, 600)
    assert (renewal.lost, renewal.generations) == ({lease}, {"m": None})
    assert (await ledger.rows("m")).rows == ()
    await ledger.close()


async def test_what_a_server_may_lose_is_warned_of():
    """Catches: a warning at a server that keeps everything, none at one that keeps nothing."""
    settings = {
        ("--appendonly", "no"): ["ledger.not_persistent"],
        ("--appendonly", "yes"): [],
        ("--save", "60 1"): [],
        ("--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"): ["ledger.may_be_evicted"],
        ("--rename-command", "CONFIG", ""): [],
    }
    for options, expected in settings.items():
        with Valkey(*options) as server, structlog.testing.capture_logs() as lines:
            ledger = await open_redis(LedgerOpening(url=server.url, service="shop", log=structlog.get_logger()))
            await ledger.close()
        assert [line["event"] for line in lines] == expected, options


async def test_refusals_are_told_with_their_mend_and_without_the_password():
    with Valkey("--requirepass", "sesame") as server:
        for user in ("", ":wrong-secret@"):
            with pytest.raises(LedgerError, match="correct user and password in the URL") as raised:
                await opened(server.url.replace("//", f"//{user}"))
            assert not isinstance(raised.value, LedgerUnavailable)
            assert "wrong-secret" not in str(raised.value)
        ledger = await opened(server.url.replace("//", "//:sesame@"), "shop")
        await ledger.plan("m", "stream", GRAPH)
        await ledger.close()


async def test_a_ledger_of_another_format_is_left_as_it_is(server: RedisServer):
    """Catches: a script that writes before it looks."""
    ledger = await opened(server.url, "future")
    server.ask("HSET", "headrace:{future/m}", "format", "2")
    verbs = [
        lambda: ledger.plan("m", "stream", GRAPH),
        lambda: ledger.forget("m", ["a"]),
        lambda: ledger.replan("m", "0123", "stream", GRAPH),
        lambda: ledger.restore("m", "stream", "0123", [Row(shard="a", position="0")]),
        lambda: ledger.rows("m"),
        lambda: ledger.pause("m", paused=True),
        lambda: ledger.acquire("m", "a", "w", 1),
    ]
    for verb in verbs:
        with pytest.raises(LedgerError, match="a ledger of format 2, written by another headrace; this one knows 1"):
            await verb()
    assert server.ask("HLEN", "headrace:{future/m}").startswith(":1")
    await ledger.close()


async def test_a_full_server_has_written_nothing():
    with Valkey("--maxmemory-policy", "noeviction") as server:
        ledger = await opened(server.url)
        await ledger.plan("m", "stream", GRAPH)
        lease = await held(ledger)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(LedgerUnavailable, match=r"refuses for now.*nothing was written"):
            await ledger.commit(lease, "1")
        server.ask("CONFIG", "SET", "maxmemory", "0")
        await ledger.commit(lease, "1")
        await ledger.close()


async def test_a_server_that_lost_everything_is_written_back(server: RedisServer):
    """By one that holds a lease and by one that has only seen it, in either order. Catches: a row left half."""
    for order in (1, -1):
        ledger = await opened(server.url)
        await ledger.plan("m", "stream", [*GRAPH, Shard(name="b", position="0", parents=("a",))])
        seen = await ledger.rows("m")
        lease = await held(ledger)
        await ledger.commit(lease, "7", memo=b"m")
        server.ask("FLUSHALL")
        own = Row(shard="a", position="7", epoch=lease.epoch + 1, memo=b"m")
        for rows in ([own], seen.rows)[::order]:
            await ledger.restore("m", "stream", seen.generation, rows)
        graph = await ledger.rows("m")
        assert replace(graph, rows=()) == replace(seen, rows=())
        assert sorted(graph.rows, key=lambda row: row.shard) == [own, seen.rows[1]]
        with pytest.raises(LaneLost):
            await ledger.commit(lease, "8")
        assert (await held(ledger)).epoch == lease.epoch + 2
        await ledger.close()


async def test_a_cluster_of_three_keeps_mappings_on_all_of_them():
    """Catches: a script whose keys lie in several slots, a renewal that asks one node for all."""
    with Cluster() as cluster:
        ledger = await opened(cluster.url, "shop")
        leases = {}
        for number in range(12):
            mapping = f"m{number}"
            await ledger.plan(mapping, "stream", GRAPH)
            lease = await ledger.acquire(mapping, "a", "w", 600)
            await ledger.commit(lease, str(number))
            leases[lease] = "reading"
        assert all(int(node.ask("DBSIZE").strip(":\r\n")) for node in cluster.nodes)
        renewal = await ledger.renew(leases, 600)
        assert (renewal.lost, len(renewal.generations)) == (frozenset(), 12)
        cluster.nodes[0].ask("SCRIPT", "FLUSH")
        assert [(await ledger.rows(f"m{n}")).rows[0].position for n in range(12)] == [str(n) for n in range(12)]
        await ledger.close()


async def test_a_worker_of_an_older_copy_is_fenced(server: RedisServer):
    """The store went back to before a takeover: whoever took it writes nothing. Catches: a fence by epoch alone."""
    ledger = await opened(server.url, "copies")
    await ledger.plan("m", "stream", GRAPH)
    first = await held(ledger, "w1")
    await ledger.release(first)
    lost = await held(ledger, "w2")
    server.ask("HSET", "headrace:{copies/m}", "epoch:a", "1", "owner:a", "", "expires:a", "0")
    third = await held(ledger, "w3")
    assert third.epoch == lost.epoch
    with pytest.raises(LaneLost):
        await ledger.commit(lost, "9")
    await ledger.commit(third, "1")
    await ledger.close()


def test_urls_that_mean_something():
    cases = {
        "redis://h": ("", False, (("h", 6379),), ()),
        "rediss://u:p%40@h:1/2": ("", True, (("h", 1),), ("2",)),
        "redis+sentinel://h1,h2:5/shop/3": ("sentinel", False, (("h1", 26379), ("h2", 5)), ("shop", "3")),
        "rediss+cluster://[::1]:7,h2": ("cluster", True, (("::1", 7), ("h2", 6379)), ()),
    }
    for url, expected in cases.items():
        found = place(url)
        assert (found.kind, found.tls, found.hosts, found.path) == expected
    assert place("rediss://u:p%40@h").password == "p@"
    assert "p@" not in place("rediss://u:p%40@h").text


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://", "names no host; write redis://HOST:PORT/DB"),
        ("redis://h:x", "write redis://HOST:PORT/DB"),
        ("redis://h1,h2", "several hosts are sentinels or a cluster"),
        ("redis://h/zero", "a database is a number, and not 'zero'"),
        ("redis://h/0/1", "path is not understood"),
        ("redis+sentinel://h", "path is not understood; write redis+sentinel://HOST,HOST/SERVICE_NAME/DB"),
        ("redis+cluster://h/1", "a cluster has no database but 0"),
        ("redis://h?timeout=1", "'timeout' is not known; leave it out"),
    ],
)
def test_urls_that_mean_nothing(url: str, message: str):
    with pytest.raises(ConfigError) as raised:
        place(url)
    assert message in str(raised.value)


async def test_a_cluster_that_is_away_is_told_and_come_back_to():
    """At the start, and under way. Mutation (tried): its client's own error, which is no RedisError, ends a service."""
    with Cluster() as cluster:
        for node in cluster.nodes:
            node.kill()
        with pytest.raises(LedgerUnavailable, match="does not answer"):
            await open_redis(LedgerOpening(url=cluster.url, service="shop"))
        for node in cluster.nodes:
            node.start()
        wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in cluster.nodes))
        ledger = await open_redis(LedgerOpening(url=cluster.url, service="shop"))
        await ledger.plan("orders", "stream", GRAPH)
        for node in cluster.nodes:
            node.kill()
        with pytest.raises(LedgerUnavailable, match="does not answer"):
            await ledger.rows("orders")
        for node in cluster.nodes:
            node.start()
        wait_until(lambda: all("cluster_state:ok" in node.ask("CLUSTER", "INFO") for node in cluster.nodes))
        assert (await ledger.rows("orders")).rows == ()
        await ledger.close()
