"""A connection that is broken on purpose, in every way that a network has."""

from __future__ import annotations

import asyncio
import random

from headrace.testing import FaultProxy


class Lines(FaultProxy):
    """A proxy that can also strand: the connections of now stay open and dead for ever, new ones are served."""

    def strand(self) -> None:
        self.black_hole()
        self._requests, self._answers = asyncio.Event(), asyncio.Event()
        self.heal()


async def break_line(line: Lines, kind: str, chance: random.Random, visibility: float) -> None:
    match kind:
        case "cut":
            for _ in range(8):
                line.cut()
                await asyncio.sleep(chance.uniform(0.02, 0.2))
        case "refuse":
            line.refuse()
            line.cut()
            await asyncio.sleep(chance.uniform(0.5, 2))
        case "silent":
            line.black_hole()
            await asyncio.sleep(chance.uniform(0.5, 2))
            line.cut()
        case "no answers":
            line.black_hole(requests=False)
            await asyncio.sleep(chance.uniform(0.5, 2))
            if chance.random() < 0.5:
                line.cut()
        case "slow":
            line.delay(0.3)
            await asyncio.sleep(2)
        case "long silence":
            line.black_hole()
            await asyncio.sleep(visibility + 2)
        case "strand":
            line.strand()
    line.heal()
