"""A TCP proxy that breaks connections on demand: cut, refused, half-open, slow.

    async with FaultProxy("127.0.0.1", 4566) as proxy:
        client = connect(proxy.url)
        proxy.black_hole()          # connected, and nothing comes through
        ...
        proxy.heal()

It knows no protocol. Every verb acts at once and returns at once, from the loop that entered the proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER 0: close sends RST instead of FIN
_CHUNK = 64 * 1024


class FaultProxy:
    """Listens on 127.0.0.1 and passes every connection on to `host`:`port`, until told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._bound: socket.socket | None = None
        self._listens = False
        self._port = 0
        self._requests = asyncio.Event()
        self._answers = asyncio.Event()
        self._delay = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._tasks = asyncio.TaskGroup()
        self.accepted = 0
        """Connections accepted since the start."""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self.heal()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        self._unbind()
        self.cut()
        await self._tasks.__aexit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """HOST:PORT to connect to instead of the server."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The same as an http URL."""
        return f"http://{self.address}"

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return len(self._serving)

    def cut(self) -> None:
        """Reset every connection, on both sides. New ones are served as before."""
        for writer in tuple(self._open):
            _reset(writer)
        for task in self._serving:
            task.cancel()

    def refuse(self) -> None:
        """Refuse new connections, as a host does on which the server is not running. Open ones go on; see `cut`."""
        if self._listens:
            self._listens = False
            self._bind()  # and listen no more: so it refuses, and its port is given to nobody else

    def black_hole(self, *, requests: bool = True, answers: bool = True) -> None:
        """Keep connections and accept new ones, but pass nothing: half-open. Not even the end of a connection passes.

        With `requests=False` requests still reach the server and only its answers are held.
        """
        _set(self._requests, is_open=not requests)
        _set(self._answers, is_open=not answers)

    def delay(self, seconds: float) -> None:
        """Hold every chunk, in both directions, for so long before it is passed on."""
        self._delay = seconds

    def heal(self) -> None:
        """Undo all of the above. What a black hole held is passed on now, as TCP would after an outage."""
        self._delay = 0.0
        self._requests.set()
        self._answers.set()
        if not self._listens:
            listener = self._bound or self._bind()
            listener.listen()
            asyncio.get_running_loop().add_reader(listener, self._accept)
            self._listens = True

    def _bind(self) -> socket.socket:
        self._unbind()
        self._bound = bound = socket.socket()
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self._port))
        self._port = bound.getsockname()[1]
        return bound

    def _unbind(self) -> None:
        if self._bound is not None:
            asyncio.get_running_loop().remove_reader(self._bound)
            self._bound.close()
            self._bound = None

    def _accept(self) -> None:
        if self._bound is None or not self._listens:
            return
        try:
            connection, _ = self._bound.accept()
        except OSError:  # gone again before we looked
            return
        connection.setblocking(False)
        self.accepted += 1
        task = self._tasks.create_task(self._serve(connection))
        self._serving.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._serving.discard(task)
            if task.cancelled():  # perhaps before its first step
                connection.close()

        task.add_done_callback(done)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        self._open.add(writer)
        try:
            await self._requests.wait()
            try:
                up_reader, up_writer = await asyncio.open_connection(*self._upstream)
            except OSError:
                _reset(writer)
                return
            self._open.add(up_writer)
            try:
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, up_writer, self._requests))
                    pumps.create_task(self._pump(up_reader, writer, self._answers))
            finally:
                self._open.discard(up_writer)
                await _close(up_writer)
        finally:
            self._open.discard(writer)
            await _close(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        """One direction. The end of the stream is passed on as the end of this half; a reset resets both halves."""
        try:
            while chunk := await reader.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await gate.wait()
                writer.write(chunk)
                await writer.drain()
            await gate.wait()
            writer.write_eof()
        except OSError:
            _reset(writer)


def _set(gate: asyncio.Event, *, is_open: bool) -> None:
    if is_open:
        gate.set()
    else:
        gate.clear()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # closed by the peer already
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
