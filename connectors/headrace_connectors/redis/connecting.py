"""From a URL to a client of Redis: one server, behind sentinels, or a cluster; and what may be lost there.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB]
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/SERVICE_NAME[/DB]
    redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]

`rediss` for `redis` is the same over TLS. User and password are Redis' own; sentinels that want some have theirs in the
query: `?sentinel_username=U&sentinel_password=P`. A cluster has no database but 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from headrace.errors import ConfigError, Fault
from headrace.observe import Log

Client: TypeAlias = Redis | RedisCluster

TIMEOUT = 3.0
"""Seconds for a connection, and for an answer: a worker has a third of a lease of 10 s to renew it."""

_PORT, _SENTINEL_PORT = 6379, 26379


@dataclass(frozen=True, slots=True)
class Place:
    """A URL's parts. `text` is where it leads to, for people: no password is in it."""

    kind: str
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    path: tuple[str, ...]
    username: str | None
    password: str | None
    query: Mapping[str, str]

    @property
    def text(self) -> str:
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return "/".join((f"Redis at {hosts}", *self.path))


def place(url: str) -> Place:
    """What a URL means.

    Raises:
        ConfigError: it means nothing.
    """
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    netloc = parts.netloc.rpartition("@")[2]
    try:
        hosts = tuple(_host(host, _SENTINEL_PORT if kind == "sentinel" else _PORT) for host in netloc.split(","))
    except ValueError as error:
        raise _fault(f"{error}; write {_form(kind)}") from None
    found = Place(
        kind=kind,
        tls=scheme == "rediss",
        hosts=hosts,
        path=tuple(unquote(part) for part in parts.path.split("/") if part),
        **_credentials(parts),
        query=dict(parse_qsl(parts.query)),
    )
    _check(found)
    return found


def _host(text: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("the URL names no host")
    return parts.hostname, parts.port or default


def _credentials(parts: SplitResult) -> dict[str, str | None]:
    username, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return {"username": unquote(username) or None, "password": unquote(password) or None}


def _check(found: Place) -> None:
    most = {"": (0, 1), "sentinel": (1, 2), "cluster": (0, 1)}[found.kind]
    if not most[0] <= len(found.path) <= most[1]:
        raise _fault(f"the URL's path is not understood; write {_form(found.kind)}")
    if not found.kind and len(found.hosts) > 1:
        raise _fault("several hosts are sentinels or a cluster; write redis+sentinel://… or redis+cluster://…")
    if found.path[most[1] - 1 :] and not found.path[-1].isdecimal():
        raise _fault(f"a database is a number, and not {found.path[-1]!r}; write {_form(found.kind)}")
    if found.kind == "cluster" and found.path not in {(), ("0",)}:
        raise _fault("a cluster has no database but 0; leave it out")
    unknown = found.query.keys() - ({"sentinel_username", "sentinel_password"} if found.kind == "sentinel" else set())
    if unknown:
        raise _fault(f"the URL's {min(unknown)!r} is not known; leave it out")


def _form(kind: str) -> str:
    return {
        "": "redis://HOST:PORT/DB",
        "sentinel": "redis+sentinel://HOST,HOST/SERVICE_NAME/DB",
        "cluster": "redis+cluster://HOST,HOST",
    }[kind]


def _fault(message: str) -> ConfigError:
    return ConfigError([Fault("service.state", message)])


def connect(found: Place) -> Client:
    """A client that tries nothing twice by itself: who calls knows whether that is safe, and until when."""
    login = {"username": found.username, "password": found.password}
    timing = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    once = {"retry": Retry(NoBackoff(), 0), "ssl": found.tls}
    settings: dict[str, Any] = {**login, **timing, **once}
    if found.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in found.hosts]
        # a cluster's client asks twice after a move, a failover or a lost connection: the verbs allow it
        return RedisCluster(startup_nodes=nodes, **{**settings, "retry": Retry(NoBackoff(), 3)})
    database = int(found.path[-1]) if len(found.path) > (found.kind == "sentinel") else 0
    if found.kind == "sentinel":
        their_login = {name.removeprefix("sentinel_"): value for name, value in found.query.items()}
        theirs = {**timing, **once, **their_login}
        sentinels: Any = cast("Any", Sentinel)(list(found.hosts), sentinel_kwargs=theirs, **settings)
        client: Redis = sentinels.master_for(found.path[0], db=database)
        return client
    ((host, port),) = found.hosts
    return Redis(host=host, port=port, db=database, **settings)


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
    except (RedisError, OSError):  # refused, or just now gone: the verbs will say so
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
