"""Ending tasks for certain, and in time; and waiting for several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

AGAIN = 1.0
"""Seconds after which a task that was cancelled, and still runs, is cancelled again."""

LAST = 2.0
"""Seconds for what is done at the end of a block, and would come to its end by itself, too."""


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel *tasks* until all have ended: a library may swallow a cancellation (`asyncio.wait_for` does before 3.12).

    What they raised stays with them.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN)


async def side_by_side(*works: Awaitable[None]) -> None:
    """All to their end, whatever becomes of the others; raises what the first of those raises that fail, as it is."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], last: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do *work* until the block ends, and then *last*, for `LAST` at most."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        try:
            yield
        finally:
            await cancelled(task)
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST):
                    await last()
