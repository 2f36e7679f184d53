"""Servers that are away for a while: stopped and started again, or behind a line on which nothing goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headrace.testing import FaultProxy
from support.service import boot
from support.streambooks import StreamBooks


@dataclass(frozen=True, slots=True)
class Away:
    """When it was told to go, when it had gone (until then it may answer), and when it was told to come back.

    On the boot clock.
    """

    begin: float
    gone: float
    end: float


async def down(stop: Callable[[], object], start: Callable[[], object], seconds: float) -> Away:
    """Both block."""
    begin = boot()
    await asyncio.to_thread(stop)
    gone = boot()
    await asyncio.sleep(seconds)
    end = boot()
    await asyncio.to_thread(start)
    return Away(begin, gone, end)


async def cut_off(line: FaultProxy, seconds: float) -> Away:
    """Nobody is told of it; the connections of before end with it."""
    begin = boot()
    line.black_hole()
    gone = boot()
    await asyncio.sleep(seconds)
    end = boot()
    line.cut()
    line.heal()
    return Away(begin, gone, end)


def made_meanwhile(books: StreamBooks, away: Away) -> Sequence[float]:
    """Of each call that was made while a server went, and was away: how long after it had gone."""
    return [made - away.gone for made, _ in books.dispatched() if away.begin < made < away.end]
