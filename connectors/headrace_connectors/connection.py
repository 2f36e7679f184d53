"""A way to a server that is made at its first use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Connection(Generic[T]):
    """What *connect* makes, at the first `get`; what it put on its stack ends at `close`.

    Several may ask at once, and one of them connects. After one that failed the next tries again.
    """

    def __init__(self, connect: Callable[[AsyncExitStack], Awaitable[T]]) -> None:
        self._connect = connect
        self._stack = AsyncExitStack()
        self._connecting = asyncio.Lock()
        self._made: T | None = None

    @classmethod
    def of(cls, opens: Callable[[], AbstractAsyncContextManager[T]]) -> Self:
        """To what a block of *opens* gives."""
        return cls(lambda stack: stack.enter_async_context(opens()))

    async def get(self) -> T:
        async with self._connecting:
            if self._made is None:
                opening = AsyncExitStack()
                async with opening:
                    self._made = await self._connect(opening)
                    self._stack = opening.pop_all()
            return self._made

    async def close(self) -> None:
        await self._stack.aclose()
