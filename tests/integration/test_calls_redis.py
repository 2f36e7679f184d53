"""Redis' queues of calls when server, connections and workers fail: a real server each time."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest

from headrace.calls import Call, Waiting
from headrace.errors import LedgerError, LedgerUnavailable
from headrace.ledger import LedgerOpening, Shard
from headrace.testing import FaultProxy
from headrace_connectors.redis import callscripts, scripts
from headrace_connectors.redis.ledger import RedisLedger, open_redis
from support.redis import Cluster, RedisServer, Valkey, servers, unheard

GRAPH = [Shard(name="a", position="0")]


@pytest.fixture(scope="module", params=servers(), ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    kind: type[RedisServer] = request.param
    with kind() as server:
        yield server


async def opened(url: str, service: str | None = None) -> RedisLedger:
    return await open_redis(LedgerOpening(url=url, service=service or secrets.token_hex(4)))


def call(id_: str, **fields) -> Call:
    return Call(id=id_, event="{}", **fields)


async def test_a_lost_answer_may_have_written_and_a_repeat_is_safe(server: RedisServer):
    """Every verb, carried out and not answered, and called again. Catches: a repeat that counts, puts or settles twice.

    What the first call settled or put back is told as ours no more: nobody can tell it from another's.
    """
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        ledger = await opened(f"redis://{proxy.address}")

        async def twice(verb):
            lost = await unheard(server, proxy, verb)
            assert "does not answer" in str(lost)
            assert lost.written is not False
            return await verb()

        for script in (scripts.SCRIPTS | callscripts.SCRIPTS).values():
            server.ask("SCRIPT", "LOAD", script)
        await ledger.plan("m", "stream", GRAPH)
        lease = await ledger.acquire("m", "a", "w", 600)
        assert lease
        await twice(lambda: ledger.commit(lease, "1", calls=[call("a", group="g")]))
        assert await twice(lambda: ledger.put("m", [call("b", group="g")])) == set()
        assert await twice(lambda: ledger.unfinished("m", ["g"])) == {"g": 2}
        assert await twice(lambda: ledger.unsettled("m", ["a", "c"])) == {"a"}
        (b,) = await twice(lambda: ledger.take("m", "w", 1, 600))
        assert (b.call.id, b.attempt) == ("b", 1), "those of the lost answer expire"
        assert await ledger.waiting("m") == Waiting(taken=2)
        assert await twice(lambda: ledger.hold([b], 600)) == set()
        assert await twice(lambda: ledger.put_back([b], 0.0, begun=False)) == {b}
        (b,) = await ledger.take("m", "w", 1, 600)
        assert b.attempt == 1
        assert await twice(lambda: ledger.settle([b], {"b": "done"})) == {b}
        assert (await ledger.unfinished("m", ["g"]), await ledger.notes("m")) == ({"g": 1}, {"g": "done"})
        await ledger.close()


async def test_a_ledger_of_today_is_opened_and_gets_a_queue(server: RedisServer):
    """One without the keys of a queue, as written before there were calls. Catches: a format that was raised."""
    ledger = await opened(server.url, "older")
    key = "headrace:{older/m}"
    fields = ("position:a", "7", "parents:a", "[]", "ended:a", "0", "epoch:a", "3", "shards", '["a"]')
    server.ask("HSET", key, "format", "1", "identity", "stream", "generation", "0123", *fields)
    assert await ledger.waiting("m") == Waiting()
    assert await ledger.take("m", "w", 1, 600) == []
    lease = await ledger.acquire("m", "a", "w", 600)
    assert lease
    assert (lease.position, lease.epoch) == ("7", 4)
    await ledger.commit(lease, "8", calls=[call("a")])
    assert await ledger.waiting("m") == Waiting(due=1)
    await ledger.close()


async def test_a_queue_of_another_format_is_left_as_it_is(server: RedisServer):
    """A queue says its format though it has no graph. Catches: a script that writes before it looks."""
    ledger = await opened(server.url, "later")
    await ledger.put("m", [call("a")])
    (taken,) = await ledger.take("m", "w", 1, 600)
    assert "$1\r\n1" in server.ask("HGET", "headrace:{later/m}", "format")
    server.ask("HSET", "headrace:{later/m}", "format", "2")
    before = server.ask("HGETALL", "headrace:{later/m}:calls")
    verbs = [
        lambda: ledger.put("m", [call("b")]),
        lambda: ledger.take("m", "w", 1, 600),
        lambda: ledger.hold([taken], 600),
        lambda: ledger.settle([taken]),
        lambda: ledger.put_back([taken], 0.0, begun=True),
        lambda: ledger.waiting("m"),
    ]
    for verb in verbs:
        with pytest.raises(LedgerError, match="a ledger of format 2, written by another headrace; this one knows 1"):
            await verb()
    assert server.ask("HGETALL", "headrace:{later/m}:calls") == before
    await ledger.close()


async def test_what_was_settled_leaves_nothing_but_its_note(server: RedisServer):
    """Catches: a field, a member or a count that stays for ever."""
    ledger = await opened(server.url, "clean")
    await ledger.put("m", [call("a", group="g"), call("b", group="h", alone=True)])
    first = await ledger.take("m", "w", 10, 600)
    await ledger.put_back(first, 0.0, begun=True)
    again = await ledger.take("m", "w", 10, 600)
    assert await ledger.begin_alone(again[0])
    await ledger.settle(again, {"a": "done"})
    keys = [f"headrace:{{clean/m}}:{name}" for name in ("calls", "due", "taken", "groups")]
    assert server.ask("EXISTS", *keys).startswith(":0")
    assert server.ask("HGETALL", "headrace:{clean/m}:notes").startswith("*2")
    await ledger.close()


async def test_a_look_costs_the_same_however_long_the_queue(server: RedisServer):
    """In commands within the scripts, 10,000 later, 1,000 due, 500 taken. Catches: a script that looks at all."""
    costs = []
    for size in (1, 50):
        ledger = await opened(server.url)
        now = await ledger.now()
        await ledger.put("m", [call(f"t{n}", due=1.0, group=f"t{n}") for n in range(10 * size)])
        await ledger.take("m", "other", 10 * size, 600)
        await ledger.put("m", [call(f"d{n}", due=now, group="g", alone=n == 0) for n in range(20 * size)])
        await ledger.put("m", [call(f"l{n}", due=now + 600, group="g") for n in range(200 * size)])
        server.ask("CONFIG", "RESETSTAT")
        taken = await ledger.take("m", "w", 5, 600)
        assert len(taken) == 5
        await ledger.hold(taken, 600)
        await ledger.put_back(taken[:2], 0.0, begun=True)
        await ledger.settle(taken[2:], {one.call.id: "done" for one in taken})
        await ledger.waiting("m")
        told = server.ask("INFO", "commandstats")
        costs.append(sum(int(calls) for calls in re.findall(r"cmdstat_[hz]\w+:calls=(\d+)", told)))
        await ledger.close()
    assert 50 < costs[0] == costs[1], costs


async def test_a_taking_of_before_the_store_was_emptied_is_fenced(server: RedisServer):
    """Numbers begin nowhere. Catches: a counter in the store, which an emptied one begins again."""
    ledger = await opened(server.url)
    await ledger.put("m", [call("a")])
    (old,) = await ledger.take("m", "w", 1, 600)
    server.ask("FLUSHALL")
    await ledger.put("m", [call("a")])
    (new,) = await ledger.take("m", "other", 1, 600)
    assert await ledger.settle([old]) == {old}
    assert await ledger.settle([new]) == set()
    await ledger.close()


async def test_a_full_server_has_written_nothing():
    """Catches: a script that a server without memory stops half way."""
    with Valkey("--maxmemory-policy", "noeviction") as server:
        ledger = await opened(server.url)
        await ledger.plan("m", "stream", GRAPH)
        lease = await ledger.acquire("m", "a", "w", 600)
        assert lease
        await ledger.put("m", [call("a", group="g"), call("b")])
        (taken,) = await ledger.take("m", "w", 1, 600)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        for verb in (
            lambda: ledger.commit(lease, "1", calls=[call("c")]),
            lambda: ledger.put("m", [call("c")]),
        ):
            with pytest.raises(LedgerUnavailable, match=r"refuses for now.*nothing was written"):
                await verb()
        assert await ledger.settle([taken], {"a": "done"}) == set(), "what makes room is let through"
        server.ask("CONFIG", "SET", "maxmemory", "0")
        assert (await ledger.rows("m")).rows[0].position == "0"
        assert await ledger.unfinished("m", ["", "g"]) == {"": 1}
        assert await ledger.notes("m") == {"g": "done"}
        await ledger.close()


async def test_a_cluster_of_three_keeps_queues_on_all_of_them():
    """Catches: keys of a mapping that lie in several slots, a verb that asks one node for all."""
    with Cluster() as cluster:
        ledger = await opened(cluster.url, "shop")
        taken = []
        for number in range(12):
            mapping = f"m{number}"
            await ledger.plan(mapping, "stream", GRAPH)
            lease = await ledger.acquire(mapping, "a", "w", 600)
            assert lease
            await ledger.commit(lease, "1", calls=[call("a", group="g")])
            taken += await ledger.take(mapping, "w", 1, 600)
        assert len(taken) == 12
        assert await ledger.hold(taken, 600) == set()
        assert await ledger.put_back(taken[:6], 600, begun=True) == set()
        assert await ledger.settle(taken, {"a": "done"}) == set(taken[:6])
        assert [await ledger.notes(f"m{number}") for number in (0, 11)] == [{}, {"g": "done"}]
        assert await ledger.now() > 1e9
        await ledger.close()
