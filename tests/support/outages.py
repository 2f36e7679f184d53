"""Servers that are away for a while: stopped and started again, or behind a line on which nothing goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from headrace.testing import FaultProxy


async def down(stop: Callable[[], object], start: Callable[[], object], seconds: float) -> None:
    """Both block."""
    await asyncio.to_thread(stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(start)


async def cut_off(line: FaultProxy, seconds: float) -> None:
    """Nobody is told of it; the connections of before end with it."""
    line.black_hole()
    await asyncio.sleep(seconds)
    line.cut()
    line.heal()
