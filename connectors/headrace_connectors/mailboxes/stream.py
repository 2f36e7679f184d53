"""A Redis stream of failure records, read from its beginning to what was there when it was opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from headrace.errors import SourceUnavailable
from headrace.letters import Posted
from headrace.plugins import Opening
from headrace_connectors.destinations.redis import RedisDestinationOptions
from headrace_connectors.destinations.stream import words
from headrace_connectors.redis.connecting import ERRORS, connect, disconnect

PAGE: Final = 100
PAGE_BYTES: Final = 2**24
"""A page has as many entries as are in that, if the next are as large as the largest before: one at least."""

BODY: Final = b"body"
"""The field in which the destination puts a record; of an entry with one field that is it."""


class StreamMailbox:
    """What is done stays, unless it is to be removed (XDEL). A letter's name is its entry's id."""

    def __init__(self, _: Opening, options: RedisDestinationOptions, delete: bool) -> None:  # noqa: FBT001
        self.name = f"{options.place.text} {options.stream}"
        self.keeps = not delete
        self._stream, self._delete = options.stream, delete
        self._client: Any = connect(options.place)

    async def letters(self) -> AsyncIterator[Posted]:
        last = await self._ask("XREVRANGE", self._stream, "+", "-", "COUNT", 1)
        if not last:
            return
        page, end, after = last, last[0][0], b"-"
        while page := await self._ask("XRANGE", self._stream, after, end, "COUNT", entries(page)):
            for entry, fields in page:
                yield _posted(entry.decode(), _fields(fields))
            after = b"(" + page[-1][0]

    async def done(self, posted: Posted) -> None:
        if self._delete:
            await self._ask("XDEL", self._stream, posted.id)

    async def back(self, posted: Posted) -> None:
        """It stays."""

    async def _ask(self, *asked: Any) -> Any:
        try:
            return await self._client.execute_command(*asked)
        except ERRORS as error:
            raise SourceUnavailable(f"{self.name}: {words(error, f'+{asked[0].lower()}')}") from error

    async def close(self) -> None:
        await disconnect(self._client)


def entries(before: Any) -> int:
    """Of the page that comes behind *before*."""
    largest = max(sum(map(len, _fields(fields).values())) for _, fields in before)
    return max(1, min(PAGE, PAGE_BYTES // max(1, largest)))


def _fields(found: Any) -> Mapping[bytes, bytes]:
    """As a list of names and values, or as a mapping."""
    return found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))


def _posted(name: str, fields: Mapping[bytes, bytes]) -> Posted:
    body = fields.get(BODY, next(iter(fields.values())) if len(fields) == 1 else b"")
    beside = {key.decode(errors="replace"): one.decode(errors="replace") for key, one in fields.items() if key != BODY}
    return Posted(id=name, body=body, at=int(name.partition("-")[0]) / 1000, attributes=beside)
