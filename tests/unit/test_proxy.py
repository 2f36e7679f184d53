"""The fault proxy against an echo server: what passes, what breaks, and how the client notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import pytest

from headrace.testing.proxy import FaultProxy


class Echo:
    """Answers each chunk with itself and remembers what it saw."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.ends: list[str] = []
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                self.seen += chunk
                writer.write(chunk)
                await writer.drain()
            self.ends.append("eof")
        except OSError:
            self.ends.append("reset")
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    it = Echo()
    server = await asyncio.start_server(it.talk, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    async with server:
        yield it


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", echo.port) as it:
        yield it


@contextlib.asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), 5)


async def silent(reader: asyncio.StreamReader, seconds: float = 0.1) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return True
    return False


async def until(condition, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def test_passes_everything_through(proxy: FaultProxy) -> None:
    big = bytes(range(256)) * 4096
    async with connected(proxy) as (reader, writer):
        assert await says(reader, writer, big) == big
    assert proxy.url == f"http://127.0.0.1:{proxy.port}"
    await until(lambda: proxy.connections == 0)
    assert proxy.accepted == 1


async def test_the_end_of_one_half_is_passed_on_and_the_other_half_goes_on(echo: Echo, proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        writer.write(b"last words")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 5) == b"last words"
    assert echo.ends == ["eof"]


async def test_cut_resets_both_sides_and_the_next_connection_works(echo: Echo, proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        await says(reader, writer, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
    await until(lambda: echo.ends == ["reset"])
    async with connected(proxy) as (reader, writer):
        assert await says(reader, writer, b"again") == b"again"


async def test_cut_before_anything_was_said(proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, _):
        await until(lambda: proxy.accepted == 1)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
    await until(lambda: proxy.connections == 0)


async def test_refuse_refuses_new_connections_and_leaves_old_ones(proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        await says(reader, writer, b"before")
        proxy.refuse()
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await says(reader, writer, b"still here") == b"still here"
    port = proxy.port
    proxy.heal()
    assert proxy.port == port
    async with connected(proxy) as (reader, writer):
        assert await says(reader, writer, b"after") == b"after"


async def test_the_port_of_one_that_refuses_is_its_own(proxy: FaultProxy) -> None:
    """Catches: a port that is let go of meanwhile, which another may be given before it is healed."""
    proxy.refuse()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", proxy.port))


async def test_black_hole_accepts_and_passes_nothing_until_healed(echo: Echo, proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        await says(reader, writer, b"before")
        proxy.black_hole()
        writer.write(b"lost?")
        assert await silent(reader)
        async with connected(proxy) as (new_reader, new_writer):
            new_writer.write(b"new")
            assert await silent(new_reader)
            assert bytes(echo.seen) == b"before"
            proxy.heal()
            assert await asyncio.wait_for(new_reader.readexactly(3), 5) == b"new"
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"lost?"


async def test_black_hole_hides_that_the_client_has_gone(echo: Echo, proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        await says(reader, writer, b"hello")
        proxy.black_hole()
    await asyncio.sleep(0.1)
    assert echo.ends == []
    proxy.heal()
    await until(lambda: echo.ends == ["eof"])


async def test_black_hole_for_answers_lets_the_request_through(echo: Echo, proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        await says(reader, writer, b"1")
        proxy.black_hole(requests=False)
        writer.write(b"delete it")
        await until(lambda: echo.seen.endswith(b"delete it"))
        assert await silent(reader)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
    await until(lambda: proxy.connections == 0)


async def test_delay_holds_both_directions(proxy: FaultProxy) -> None:
    async with connected(proxy) as (reader, writer):
        await says(reader, writer, b"quick")
        proxy.delay(0.1)
        began = time.monotonic()
        await says(reader, writer, b"slow")
        assert time.monotonic() - began >= 0.2
        proxy.heal()


async def test_a_server_that_is_gone_resets_the_client() -> None:
    gone = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = gone.sockets[0].getsockname()[1]
    gone.close()
    await gone.wait_closed()
    async with FaultProxy("127.0.0.1", port) as proxy, connected(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)


async def test_leaving_closes_what_is_held(echo: Echo) -> None:
    async with FaultProxy("127.0.0.1", echo.port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await says(reader, writer, b"hello")
        proxy.black_hole()
        writer.write(b"held")
        await asyncio.sleep(0.05)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), 5)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert bytes(echo.seen) == b"hello"
