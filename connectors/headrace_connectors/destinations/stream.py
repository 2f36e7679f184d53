"""A Redis stream that records are added to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as Disconnected

from headrace.destination import CONFIRMED, PATIENCE, Message, Reply, Said
from headrace.errors import Fault
from headrace.plugins import Limit, Opening, Probe
from headrace_connectors.attributes import texts
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.redis import RedisDestinationOptions
from headrace_connectors.limits import MIB, REDIS, too_large
from headrace_connectors.redis.connecting import ERRORS, Client, connect, disconnect

MOST: Final = 100
"""Entries of one pipeline."""

MOST_BYTES: Final = 4 * MIB
"""Bytes of one pipeline."""

ANY_TAKES: Final = MIB
"""Bytes of an entry that every server takes: its proto-max-bulk-len cannot be less. What is larger may cut off the
pipeline that it is in, and goes by itself.
"""


_MOST_BULK: Final = "proto-max-bulk-len"

REFUSALS: Final = ("NOAUTH", "WRONGPASS", "invalid username-password", "AuthenticationError")
"""What a refused login is told by where an error of sentinels or of a cluster quotes it."""


class RedisDestination:
    """Connects at the first message.

    Confirmed is what the server has answered with the id of an entry: a primary's word, which a failover may lose. A
    stream tells no repeats: after a lost answer, or a move of its slot, an entry may be there twice, with one `id`.
    """

    def __init__(self, opening: Opening, options: RedisDestinationOptions) -> None:
        del opening
        self.name = f"redis {options.stream}"
        self._options = options
        self._connection = Connection(self._connect)

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        """A run that failed as a whole ends the sending."""
        replies: list[Reply] = []
        for run in _runs(messages):
            try:
                async with asyncio.timeout(PATIENCE):
                    replies += await self._add(run)
            except ERRORS as error:  # a TimeoutError is one
                reply = await self._beyond(run, error)
                replies += [reply] * len(run)
                if reply.said is Said.FAILED:
                    return [*replies, *[reply] * (len(messages) - len(replies))]
        return replies

    async def _beyond(self, run: Sequence[Message], error: Exception) -> Reply:
        """What became of a *run* that failed. A server hangs up at an entry that is larger than it takes.

        It is refused where the server says that it takes less; where it may not be asked, it may take it later.
        """
        failed = Reply(Said.FAILED, words(error) or f"no answer within {PATIENCE:g} s")
        (one, *more) = run
        if more or len(one.body) <= ANY_TAKES or not isinstance(error, Disconnected | ConnectionError | ResponseError):
            return failed
        takes = await self._takes()
        return (takes and too_large(one, len(one.body), takes, "this Redis (proto-max-bulk-len)")) or failed

    async def _takes(self) -> Limit | None:
        """By the server's own word; None where it says nothing."""
        client: Any = await self._connection.get()
        if not isinstance(client, Redis):
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                await client.connection_pool.disconnect(inuse_connections=False)  # the server has left this one
                found: Any = await client.config_get(_MOST_BULK)
        except ERRORS:
            return None
        return replace(REDIS, message=int(found[_MOST_BULK])) if _MOST_BULK in found else None

    async def _connect(self, stack: AsyncExitStack) -> Client:
        client = connect(self._options.place)
        stack.push_async_callback(disconnect, client)
        return client

    async def _add(self, run: Sequence[Message]) -> Sequence[Reply]:
        """Every answer of the pipeline is read."""
        refused = [too_large(one, len(one.body), REDIS, "Redis") for one in run]
        client: Any = await self._connection.get()
        pipeline: Any = client.pipeline(transaction=False) if isinstance(client, Redis) else client.pipeline()
        for one, no in zip(run, refused, strict=True):
            if no is None:
                pipeline.xadd(self._options.stream, fields(one), maxlen=self._options.maxlen, approximate=True)
        answers = iter(_unless_cut(await pipeline.execute(raise_on_error=False)))
        return [no or _reply(next(answers)) for no in refused]

    async def close(self) -> None:
        await self._connection.close()


def fields(message: Message) -> dict[str, bytes]:
    """An entry: the record, and what a reader asks for first."""
    beside = {
        "id": message.id,
        "condition": message.condition,
        "function": message.function,
        "lane": message.lane,
        "key": message.key or "",
        **texts(message),
    }
    given = {name: value.encode(errors="surrogatepass") for name, value in beside.items() if value}
    return {**given, "body": message.body}


def words(error: Exception, right: str = "+xadd") -> str:
    """What went wrong, and the mend; *right* is what was wanted."""
    text = str(error)
    if isinstance(error, AuthenticationError) or any(one in text for one in REFUSALS):
        return f"{text}; correct user and password in url"
    if text.startswith("NOPERM") or "no permissions" in text.lower():
        return f"{text}; allow this user {right} on the stream's key"
    if text.startswith("Protocol error"):
        return f"{text}; raise the server's proto-max-bulk-len, or allow this user +config|get, so that it can be asked"
    if text.startswith("WRONGTYPE"):
        return f"{text}; name another stream"
    if isinstance(error, Disconnected | OSError) and text:
        return f"{text}; is the server up, and url right?"
    return text


def _unless_cut(answers: Sequence[object]) -> Sequence[object]:
    """*answers* of a pipeline. Raises what the server said last, where it has hung up."""
    for one in answers:
        if isinstance(one, ResponseError) and str(one).startswith("Protocol error"):
            raise one
    return answers


def _reply(answer: object) -> Reply:
    return Reply(Said.FAILED, words(answer)) if isinstance(answer, Exception) else CONFIRMED


def _runs(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    run: list[Message] = []
    nbytes = 0
    for one in messages:
        alone = len(one.body) > ANY_TAKES
        if run and (alone or len(run) == MOST or nbytes + len(one.body) > MOST_BYTES):
            yield run
            run, nbytes = [], 0
        if alone:
            yield [one]
            continue
        run.append(one)
        nbytes += len(one.body)
    if run:
        yield run


async def probe(opening: Opening, options: RedisDestinationOptions) -> Probe:
    """Ask the server once, what is under the stream's key too."""
    del opening
    client: Any = connect(options.place)
    try:
        async with asyncio.timeout(PATIENCE):
            found = await client.type(options.stream)
    except ResponseError as error:
        return Probe(warnings=[Fault("url", words(error))])
    except ERRORS as error:
        return Probe(faults=[Fault("url", words(error) or f"no answer within {PATIENCE:g} s")])
    finally:
        await disconnect(client)
    kind = found.decode() if isinstance(found, bytes) else str(found)
    if kind not in {"none", "stream"}:
        return Probe(faults=[Fault("stream", f"is a {kind} there; name another, or delete what is there")])
    return Probe()
