"""An HTTP endpoint that records are posted to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from headrace.destination import CONFIRMED, Message, Reply, Said
from headrace.errors import Fault
from headrace.plugins import Opening, Probe
from headrace_connectors.connection import Connection
from headrace_connectors.destinations.http import HttpOptions, key_of
from headrace_connectors.destinations.requests import event_id, request, signed
from headrace_connectors.destinations.singly import singly

PASSING: Final = frozenset({408, 409, 425, 429})
"""Answers of 4xx that say: later."""

OF_THE_ADDRESS: Final = frozenset({401, 403, 404, 405, 407, 410, 421})
"""Answers of 4xx about whom or where, not about the record: whoever mends them has it taken."""

ENOUGH: Final = 64 * 1024
"""Bytes of an answer that are read, so that its connection can be used again."""

LONGEST_REST: Final = 300.0
"""Seconds that an endpoint is left alone at most, whatever it asks for."""


class HttpDestination:
    """Connects at the first message. Redirects are not followed: who answers elsewhere has not been named here.

    An endpoint that asks for rest (Retry-After) is not asked again before.
    """

    def __init__(self, opening: Opening, options: HttpOptions) -> None:
        self.name = f"http {options.place}"
        self._opening, self._options = opening, options
        self._key = key_of(options.signing_secret) if options.signing_secret else None
        self._headers = {name: value.get_secret_value() for name, value in options.headers.items()}
        self._connection = Connection(self._connect)
        self._rest_until = 0.0

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        rest = self._rest_until - self._opening.clock.boot()
        if rest > 0:
            return [Reply(Said.FAILED, f"it has asked to be left alone for {rest:.0f} s more")] * len(messages)
        return await singly(messages, self._post)

    async def _connect(self, stack: AsyncExitStack) -> aiohttp.ClientSession:
        tls = self._options.tls(self._opening)
        connector = aiohttp.TCPConnector(ssl=tls) if tls is not None else aiohttp.TCPConnector()
        session = aiohttp.ClientSession(connector=connector, headers={"User-Agent": "headrace"})
        return await stack.enter_async_context(session)

    async def _post(self, message: Message) -> Reply:
        options, now = self._options, self._opening.clock.wall()
        body, headers = request(self._opening, options.format, message)
        attempt = signed(self._key, event_id(self._opening.uuid, message), body, now)
        try:
            session = await self._connection.get()
            async with session.post(
                options.url,
                data=body,
                headers={**self._headers, **headers, **attempt},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=options.timeout),
            ) as answer:
                await answer.content.read(ENOUGH)
                return self._reply(answer.status, answer.headers)
        except TimeoutError:
            return Reply(Said.FAILED, f"no answer within {options.timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Reply(Said.FAILED, _words(error))

    def _reply(self, status: int, headers: Mapping[str, str]) -> Reply:
        if status // 100 == 2:  # noqa: PLR2004 - HTTP's first digit
            return CONFIRMED
        if status // 100 == 3:  # noqa: PLR2004
            return Reply(
                Said.FAILED, f"it answers {status}: it is elsewhere, and redirects are not followed; correct url"
            )
        if status in OF_THE_ADDRESS:
            return Reply(Said.FAILED, f"it answers {status}; correct url or headers")
        if status in PASSING or status // 100 == 5:  # noqa: PLR2004
            return Reply(Said.FAILED, f"it answers {status}{self._rest(headers.get('Retry-After'))}")
        return Reply(Said.REFUSED, f"it answers {status}")

    def _rest(self, asked: str | None) -> str:
        """Remembers how long the endpoint wants to be left alone, and says so."""
        seconds = min(retry_after(asked, self._opening.clock.wall()), LONGEST_REST)
        if seconds <= 0:
            return ""
        self._rest_until = self._opening.clock.boot() + seconds
        return f", and asks to be left alone for {seconds:.0f} s"

    async def close(self) -> None:
        await self._connection.close()


def _words(error: Exception) -> str:
    """A certificate that is not trusted says itself what it lacks."""
    away = isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError)
    return f"{type(error).__name__}: {error}{'; is the server up, and url right?' if away else ''}"


def retry_after(text: str | None, now: float) -> float:
    """Seconds from *now* that a header Retry-After means, as a number or as a date; 0 where it means nothing."""
    if text is None:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)


async def probe(opening: Opening, options: HttpOptions) -> Probe:
    """Connect, with TLS where the URL says so. Nothing is posted: that would be a record."""
    port = options.parts.port or (443 if options.parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(options.timeout):
            _, writer = await asyncio.open_connection(options.parts.hostname, port, ssl=options.tls(opening))
    except TimeoutError:
        return Probe(faults=[Fault("url", f"no connection within {options.timeout:g} s; is the server up?")])
    except OSError as error:
        return Probe(faults=[Fault("url", f"cannot be connected to: {error}")])
    writer.close()
    return Probe()
