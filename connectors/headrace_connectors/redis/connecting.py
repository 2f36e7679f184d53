"""From a place to a client of Redis; and what may be lost there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from headrace.observe import Log
from headrace_connectors.redis.place import Place

Client: TypeAlias = Redis | RedisCluster

Made: TypeAlias = Callable[[Any], Awaitable[None]]
"""Makes a connection ours: logs in, and whatever else is to come before the first call."""

ERRORS = (RedisError, RedisClusterException, OSError)
"""Whatever a client raises: of a cluster of which no node answers, or lets us in, it is no RedisError."""

TIMEOUT = 3.0
"""Seconds for a connection, and for an answer: a worker has a third of a lease of 10 s to renew it."""


def connect(found: Place, made: Made | None = None) -> Client:
    """A client that tries nothing twice by itself: who calls knows whether that is safe, and until when.

    *made* is called with each connection to a server that has our keys.
    """
    login = {"username": found.username, "password": found.password}
    timing = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    once = {"retry": Retry(NoBackoff(), 0), "ssl": found.tls}
    settings: dict[str, Any] = {**login, **timing, **once}
    if found.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in found.hosts]
        # a cluster's client asks twice after a move, a failover or a lost connection: the verbs allow it
        cluster: Any = RedisCluster(startup_nodes=nodes, **{**settings, "retry": Retry(NoBackoff(), 3)})
        for one in (cluster, *cluster.startup_nodes):  # it takes no such argument, and passes on what it has here
            one.connection_kwargs["redis_connect_func"] = made
        return cast("RedisCluster", cluster)
    database = int(found.path[-1]) if len(found.path) > (found.kind == "sentinel") else 0
    if found.kind == "sentinel":
        their_login = {name.removeprefix("sentinel_"): value for name, value in found.query.items()}
        theirs = {**timing, **once, **their_login}
        sentinels: Any = cast("Any", Sentinel)(list(found.hosts), sentinel_kwargs=theirs, **settings)
        client: Redis = sentinels.master_for(found.path[0], db=database, redis_connect_func=made)
        return client
    ((host, port),) = found.hosts
    return Redis(host=host, port=port, db=database, redis_connect_func=made, **settings)


async def disconnect(client: Client) -> None:
    """Close every connection, those to the sentinels too, which the client itself forgets."""
    await client.aclose()
    if isinstance(client, Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        pool: Any = client.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


async def warn_of_loss(client: Client, place: str, log: Log) -> None:
    """Say what this server's settings put at risk; nothing where it does not let us see them."""
    try:
        found: dict[Any, Any] = {}
        for name in ("appendonly", "save", "maxmemory", "maxmemory-policy"):
            found.update(await client.config_get(name))
    except ERRORS:  # refused, or just now gone: the verbs will say so
        return
    told = {_text(name): _text(value) for name, value in found.items()}
    if told.get("appendonly") == "no" and not told.get("save"):
        log.warning(
            "ledger.not_persistent",
            reason=f"{place} keeps nothing on disk: a restart loses leases and positions",
            mend="set appendonly yes",
        )
    if told.get("maxmemory", "0") != "0" and told.get("maxmemory-policy", "").startswith("allkeys"):
        log.warning(
            "ledger.may_be_evicted",
            reason=f"{place} drops keys when its memory is full, the ledger's too",
            mend="set maxmemory-policy noeviction, or use another server",
        )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
