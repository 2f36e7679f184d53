"""An HTTP endpoint that keeps what is posted to it, and answers as it is told: on a real server, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

from headrace_connectors.testbed.server import held_ports


@dataclass
class Posted:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers 200 unless `answers` has something: a status with headers each, or None to cut the connection.

    It is there in an `async with` block; its port is its own in all of it, stopped or not. While `gate` is not set it
    answers nobody. `takes` is bytes; `refuses` says with which status, if with any, it refuses a body.
    """

    tls: ssl.SSLContext | None = None
    port: int = 0
    posted: list[Posted] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]] | None] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    takes: int = 10 * 2**20
    refuses: Callable[[bytes], int | None] = lambda _: None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            (self.port,) = stack.enter_context(held_ports(1))
            stack.push_async_callback(self.stop)
            await self.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/hook?token=planted"

    async def start(self) -> None:
        self.gate.set()
        app = web.Application(client_max_size=self.takes)
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        await self.gate.wait()
        if (status := self.refuses(body)) is not None:
            return web.Response(status=status)
        answer = self.answers.pop(0) if self.answers else (200, {})
        if answer is None:
            request.transport.abort()  # type: ignore[union-attr]
            return web.Response()
        if answer[0] // 100 == 2:
            self.posted.append(Posted(request.path, dict(request.headers), body))
        return web.Response(status=answer[0], headers=answer[1])
