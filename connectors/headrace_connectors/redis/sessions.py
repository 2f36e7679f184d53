"""Which Redis it is that answers: looked at with each connection that is made, as a failover puts another in its place.

Nothing is asked of it afterwards. One more connection waits for its own end, so that the next is made at once, and not
at the next call.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from headrace.observe import Log
from headrace.retry import again, capped

PATIENCE = 1.0
"""Seconds in which the connection that waits must be made, else it is tried again: a host that is gone says nothing."""

PAUSE = 0.3
"""Seconds between two tries, at most: less than a look, after which others may take what the new store has as free."""

_KEEPALIVE = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}
"""So the kernel misses a server that ended without a word after some 4 s, where it lets itself be told."""

Server: TypeAlias = tuple[str | None, str | None]
"""A start of a process, and a history of writes: a replica that is promoted begins another."""


class Sessions:
    """Calls `changed` where another Redis answers than before, before anything is sent to it.

    With *by_node*, as in a cluster, each address has a store of its own. A Redis that does not let itself be known may
    be another each time.
    """

    def __init__(self, *, by_node: bool = False) -> None:
        self.changed: Callable[[], object] = lambda: None
        self._by_node = by_node
        self._known: dict[str, Server | None] = {}

    async def made(self, connection: Any) -> None:
        """For the client to call with each connection that it makes, as its `redis_connect_func`."""
        await connection.on_connect()
        server, node = await _server(connection), f"{connection.host}:{connection.port}" if self._by_node else ""
        first, known = not self._known, self._known.get(node)
        self._known[node] = server
        if not first and (server is None or server != known):
            self.changed()

    async def watch(self, client: Redis, log: Log) -> None:
        """Keep a connection until cancelled: when it ends, the next is made, and looked at."""
        async for attempt in again(log, "ledger.connection_ended", wait=capped(PAUSE)):
            with attempt:
                await _until_it_ends(client)


async def _server(connection: Any) -> Server | None:
    await connection.send_command("INFO")
    try:
        text = bytes(await connection.read_response()).decode(errors="replace")
    except ResponseError:  # not for our user
        return None
    told = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    server = told.get("run_id"), told.get("master_replid")
    return None if server == (None, None) else server


async def _until_it_ends(client: Redis) -> None:
    """Raises always, as what it ends with is an error."""
    pool: Any = client.connection_pool
    options = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
    own = {"socket_timeout": None, "socket_keepalive": True, "socket_keepalive_options": options}
    connection = pool.connection_class(**{**pool.connection_kwargs, **own})
    try:
        async with asyncio.timeout(PATIENCE):
            await connection.connect()
        while True:  # nothing is asked: what may come all the same is none of ours
            await connection.read_response()
    finally:
        await connection.disconnect(nowait=True)
