"""A Redis stream of failure records, read from its beginning to what was there when it was opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from redis.exceptions import RedisError

from headrace.errors import SourceUnavailable
from headrace.letters import Posted
from headrace.plugins import Opening
from headrace_connectors.mailboxes.redis import RedisStreamOptions
from headrace_connectors.redis.connecting import connect, disconnect
from headrace_connectors.redis.place import place

PAGE: Final = 100

BODIES: Final = (b"body", b"record", b"message", b"value", b"data", b"payload")
"""Fields in which a letter may lie, where an entry has several."""


class StreamMailbox:
    """What is done stays, unless it is to be removed (XDEL). A letter's name is its entry's id."""

    def __init__(self, _: Opening, options: RedisStreamOptions, delete: bool) -> None:  # noqa: FBT001
        found = place(options.url)
        self.name = f"{found.text} {options.stream}"
        self.keeps = not delete
        self._stream, self._delete = options.stream, delete
        self._client: Any = connect(found)

    async def letters(self) -> AsyncIterator[Posted]:
        last = await self._ask("XREVRANGE", self._stream, "+", "-", "COUNT", 1)
        if not last:
            return
        end, after = last[0][0], b"-"
        while page := await self._ask("XRANGE", self._stream, after, end, "COUNT", PAGE):
            for entry, fields in page:
                name = entry.decode()
                yield Posted(id=name, body=_body(_fields(fields)), at=int(name.partition("-")[0]) / 1000)
            after = b"(" + page[-1][0]

    async def done(self, posted: Posted) -> None:
        if self._delete:
            await self._ask("XDEL", self._stream, posted.id)

    async def back(self, posted: Posted) -> None:
        """It stays."""

    async def _ask(self, *words: Any) -> Any:
        try:
            return await self._client.execute_command(*words)
        except (RedisError, OSError) as error:
            raise SourceUnavailable(f"{self.name}: {error}") from error

    async def close(self) -> None:
        await disconnect(self._client)


def _fields(found: Any) -> Mapping[bytes, bytes]:
    """As a list of names and values, or as a mapping."""
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))


def _body(fields: Mapping[bytes, bytes]) -> bytes:
    named = [fields[name] for name in BODIES if name in fields]
    return (named or list(fields.values()) or [b""])[0]
