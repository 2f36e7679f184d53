"""Servers that are away for a while: stopped and started again, or behind a line on which nothing goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from headrace.testing import FaultProxy
from support.service import boot
from support.streambooks import StreamBooks

Away: TypeAlias = tuple[float, float]
"""From when until when, on the boot clock."""


async def down(stop: Callable[[], object], start: Callable[[], object], seconds: float) -> Away:
    """Both block."""
    begin = boot()
    await asyncio.to_thread(stop)
    await asyncio.sleep(seconds)
    end = boot()
    await asyncio.to_thread(start)
    return begin, end


async def cut_off(line: FaultProxy, seconds: float) -> Away:
    """Nobody is told of it; the connections of before end with it."""
    begin = boot()
    line.black_hole()
    await asyncio.sleep(seconds)
    end = boot()
    line.cut()
    line.heal()
    return begin, end


def made_meanwhile(books: StreamBooks, away: Away) -> Sequence[float]:
    """Of each call that was made while a server was away: how long after it had gone."""
    begin, end = away
    return [made - begin for made, _ in books.dispatched() if begin < made < end]
