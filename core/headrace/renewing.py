"""What is held in a store for a ttl: how often it is prolonged, and until when work may begin under it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

RENEWALS: Final = 4
"""Within one ttl: three may fail before what is held is lost."""

MARGIN: Final = 0.1
"""Of the ttl: nothing is begun that much before the store lets others in."""


def deadline(*, sent: float, ttl: float) -> float:
    """Until when a worker may dispatch under what it holds: the store reckons its time from later than *sent*.

    *sent* is the reading of `Clock.boot` before the call that took or prolonged it. The margin covers clocks that run
    at different rates, and the way from the last look at the deadline to the handler.
    """
    return sent + ttl - ttl * MARGIN


async def turn(ttl: float, hurry: asyncio.Event) -> None:
    """Wait until the next renewal is due, or *hurry* is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ttl / RENEWALS):
            await hurry.wait()
