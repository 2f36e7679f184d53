"""A destination on its real server, and what can befall it: what the table of faults asks of each kind."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self, TypeAlias

import pytest

from headrace.destination import Reply
from headrace.leases import Leases
from headrace.testing import FaultProxy
from headrace_connectors.catalog import catalog
from headrace_connectors.testbed.server import Server
from support.messages import message, opening

Fault: TypeAlias = AbstractAsyncContextManager[None]
"""What is the matter, from its beginning to its end."""

SLOW = 0.1
"""Seconds that a late answer, and the question, are held up: well within every bound."""

BRIEF = 0.5
"""Seconds that a test waits for an answer that does not come."""

Find: TypeAlias = Callable[[str], Any]
"""A fixture by its name: servers are started when somebody wants them."""


class Site(ABC):
    """One destination. A fault is begun before `block` is read: the way to the server may lead through it.

    Attributes:
        where: the destination's name, as people are told of it.
        why: what they are told, by fault: patterns.
        once: the server, or the name of the object, tells a repeat: nothing is ever there twice.
        filling: what a record is filled with; `spoilt`: the one that is not taken in `partly`; `large`: the one that is
            too large, where any is.
        partly_is: the mapping's state then; `some`: how many are taken at least; `mends`: the rest is, afterwards.
        limit: bytes of a message that it takes at most, its `frame` included; None: any.
        bounds: what bounds a call, as modules and names, so that a test may shorten it.
    """

    where: str
    why: ClassVar[Mapping[str, str]]
    once: ClassVar[bool] = False
    filling: str = "x"
    spoilt: str = "spoilt"
    large: str = "x" * 900_000
    partly_is: str = "holding"
    some: int = 6
    mends: bool = True
    limit: int | None = None
    frame: int = 0
    bounds: ClassVar[Mapping[ModuleType, str]] = {}

    def __init__(self, find: Find, folder: Path) -> None:
        self.find, self.folder = find, folder
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.stack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    def lower(self, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: B027 - most limits can be reached
        """Bring a limit that no test can reach within its reach."""

    @property
    def state(self) -> str:
        """Where the service keeps what it has to."""
        return "memory:"

    @property
    @abstractmethod
    def block(self) -> dict[str, Any]:
        """The destination as a config names it."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Callable[[Sequence[bytes]], Awaitable[Sequence[Reply]]]]:
        """Sends bodies, without a mapping."""
        options = {name: one for name, one in self.block.items() if name != "type"}
        (kind,) = [one for one in catalog.destinations if one.type == self.block["type"]]
        async with self._leases() as leases:
            destination = kind.open(opening(leases=leases, functions=("repair",)), kind.options(**options))
            try:
                yield lambda some: destination.send([message(f"m{n}", one) for n, one in enumerate(some)])
            finally:
                await destination.close()

    @asynccontextmanager
    async def _leases(self) -> AsyncIterator[Leases | None]:
        yield None

    @abstractmethod
    async def found(self) -> list[Any]:
        """The records that are there, and were not there at the last look; each as often as it is there."""

    @abstractmethod
    def down(self) -> Fault:
        """Its server does not run."""

    @abstractmethod
    def late(self) -> Fault:
        """It answers late, and in time."""

    @abstractmethod
    def silent(self) -> Fault:
        """It gets what it is sent, and nobody gets its answer."""

    @asynccontextmanager
    async def unheard(self) -> AsyncIterator[None]:
        """The same, and nobody waits long for it."""
        with pytest.MonkeyPatch.context() as patch:
            for module, name in self.bounds.items():
                patch.setattr(module, name, BRIEF)
            async with self.silent():
                yield

    @abstractmethod
    def partly(self) -> Fault:
        """Of several records it takes some: all but the one that is `spoilt`, or those that find a place."""

    @abstractmethod
    def denied(self) -> Fault:
        """We may not write to it."""


class Served(Site):
    """One with a server that TCP leads to; a line to it may be slow, or swallow the answers."""

    port: int

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[FaultProxy]:
        """To the server; it stays when the fault is over."""
        line = await self.stack.enter_async_context(FaultProxy("127.0.0.1", self.port))
        self.port = line.port
        yield line
        line.heal()

    @asynccontextmanager
    async def late(self) -> AsyncIterator[None]:
        async with self._line() as line:
            line.delay(SLOW)
            yield

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        async with self._line() as line:
            line.black_hole(requests=False)
            yield


@asynccontextmanager
async def stopped(server: Server) -> AsyncIterator[None]:
    await asyncio.to_thread(server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


def of_json(lines: list[bytes]) -> list[Any]:
    return [json.loads(line) for line in lines]
