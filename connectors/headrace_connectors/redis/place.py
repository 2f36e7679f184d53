"""What a URL of Redis means: one server, behind sentinels, or a cluster. Nothing is asked.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB]
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]/SERVICE_NAME[/DB]
    redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT]

`rediss` for `redis` is the same over TLS. User and password are Redis' own; sentinels that want some have theirs in the
query: `?sentinel_username=U&sentinel_password=P`. A cluster has no database but 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from headrace.errors import ConfigError, Fault

SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")

_PORT, _SENTINEL_PORT = 6379, 26379


@dataclass(frozen=True, slots=True)
class Place:
    """A URL's parts. `text` is where it leads to, for people, and `address` with no word; no password is in them."""

    kind: str
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    path: tuple[str, ...]
    username: str | None
    password: str | None
    query: Mapping[str, str]

    @property
    def address(self) -> str:
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return "/".join((hosts, *self.path))

    @property
    def text(self) -> str:
        return f"Redis at {self.address}"


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
