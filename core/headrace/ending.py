"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN = 1.0
"""Seconds after which a task that was cancelled, and still runs, is cancelled again."""


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel *tasks* until all have ended: a library may swallow a cancellation (`asyncio.wait_for` does before 3.12).

    What they raised stays with them.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN)
