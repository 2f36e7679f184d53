"""A proxy in front of an AWS server that understands HTTP: it sees every call, and may change it or cut it off.

The Host that was signed goes on as it was. Subclasses say what becomes of a call.

    async with Spoiler(server.url, change) as between: ...      # between.url
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Self

from aiohttp import ClientSession, ClientTimeout, web
from yarl import URL

_OF_THE_CONNECTION = {"Transfer-Encoding", "Connection"}


class Between:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream

    async def __aenter__(self) -> Self:
        self._session = ClientSession(auto_decompress=False, timeout=ClientTimeout(total=None))
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self._runner.addresses[0])

    def seen(self, request: web.Request, body: bytes) -> bytes | None:
        """What goes on in place of *body*; None: nothing does, and the connection is cut."""
        del request
        return body

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        given = await request.read()
        body = self.seen(request, given)
        if body is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        url = URL(self._upstream + request.raw_path, encoded=True)
        left_out = {"Transfer-Encoding", "Content-Length"} if body is not given else {"Transfer-Encoding"}
        headers = {name: value for name, value in request.headers.items() if name not in left_out}
        async with self._session.request(request.method, url, headers=headers, data=body) as answer:
            passed = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name not in _OF_THE_CONNECTION:
                    passed.headers.add(name, value)
            with suppress(ConnectionResetError):  # whoever asked has hung up
                await passed.prepare(request)
                async for chunk in answer.content.iter_any():
                    await passed.write(chunk)
                await passed.write_eof()
            return passed


class Spoiler(Between):
    """While it is `on`, each body goes on as *change* makes it."""

    def __init__(self, upstream: str, change: Callable[[bytes], bytes | None]) -> None:
        super().__init__(upstream)
        self._change, self.on = change, True

    def seen(self, request: web.Request, body: bytes) -> bytes | None:
        del request
        return self._change(body) if self.on else body
