"""When a service has nothing left to do, for `--exit-when-idle`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from headrace.mapping import Mapping
from headrace.observe import log

ANSWER: Final = 10.0
"""Seconds that a source may take to say whether it is idle; longer is no."""


async def until_idle(mappings: Collection[Mapping], seconds: float) -> None:
    """Returns when every mapping has been idle for *seconds* on end: asked several times, and nothing came between."""
    loop = asyncio.get_running_loop()
    pause = min(max(seconds / 4, 0.05), 2.0)
    since: float | None = None
    seen = -1
    while True:
        polled = sum(tally.polled for mapping in mappings for tally in mapping.tallies.values())
        if polled != seen or not await _all_idle(mappings):
            seen, since = polled, None
        elif since is None:
            since = loop.time()
        if since is not None and loop.time() - since >= seconds:
            return
        await asyncio.sleep(pause)


async def _all_idle(mappings: Collection[Mapping]) -> bool:
    return all([await _idle(mapping) for mapping in mappings])


async def _idle(mapping: Mapping) -> bool:
    try:
        async with asyncio.timeout(ANSWER):
            return await mapping.idle()
    except Exception as error:  # noqa: BLE001 - who cannot say is not idle
        log(mapping=mapping.name).debug("idle.unknown", error=f"{type(error).__name__}: {error}")
        return False
