"""Random holders against a plain model of the verdicts: the three stores answer as it does, step by step.

The model is the rules in the fewest words, with absolute times. Its clock goes on a hair with every step, as those of
the stores do; else time passes in strides that no hair bridges.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from headrace.ledger import Ledger
from headrace.verdicts import State
from support.redis import Valkey
from support.walks import over_memory, over_redis, over_sqlite

STEPS = 60
KEYS = [f"k{number}" for number in range(7)]
STRIDES = (0, 500, 2000)
SECONDS = (900, 5000)
HAIR = 0.001


@dataclass
class Modelled:
    holder: str
    done: bool
    until: float


class Walk:
    """One random walk over a mapping's verdicts; `stride` makes the store's clock go on."""

    def __init__(self, ledger: Ledger, stride: Callable[[float], Awaitable[None]], seed: int) -> None:
        self.ledger, self.stride, self.random = ledger, stride, random.Random(seed)
        self.now = 0.0
        self.model: dict[str, Modelled] = {}
        self.holders: list[str] = []

    async def run(self) -> None:
        verbs = [self.begin] * 4 + [self.finish] * 3 + [self.let_go, self.prolong] + [self.pass_time] * 2
        for _ in range(STEPS):
            self.now += HAIR
            await self.stride(HAIR)
            await self.random.choice(verbs)()

    def some(self) -> list[str]:
        return self.random.sample(KEYS, self.random.randint(1, 5))

    def alive(self, key: str) -> Modelled | None:
        found = self.model.get(key)
        return found if found and self.now < found.until else None

    async def begin(self) -> None:
        self.holders.append(f"w {len(self.holders)}")
        await self.begun_by(self.holders[-1])

    async def prolong(self) -> None:
        if self.holders:
            await self.begun_by(self.random.choice(self.holders[-4:]))

    async def begun_by(self, holder: str) -> None:
        keys, seconds = self.some(), self.random.choice(SECONDS)
        found = await self.ledger.begin("m", keys, holder, seconds)
        for key in keys:
            alive = self.alive(key)
            if alive is None or (alive.holder == holder and not alive.done):
                expected = State.BEGUN
                self.model[key] = Modelled(holder, False, self.now + seconds)
            else:
                expected = State.DONE if alive.done else State.HELD
            assert found[key].state is expected
            assert abs(found[key].left - (self.model[key].until - self.now)) < 60

    async def finish(self) -> None:
        if not self.holders:
            return
        keys, holder, seconds = self.some(), self.random.choice(self.holders[-4:]), self.random.choice(SECONDS)
        others = {key for key in keys if (alive := self.alive(key)) and alive.holder != holder}
        assert await self.ledger.finish("m", keys, holder, seconds) == others
        for key in set(keys) - others:
            self.model[key] = Modelled(holder, True, self.now + seconds)

    async def let_go(self) -> None:
        if not self.holders:
            return
        keys, holder = self.some(), self.random.choice(self.holders[-4:])
        await self.ledger.let_go("m", keys, holder)
        for key in keys:
            if (alive := self.alive(key)) and alive.holder == holder and not alive.done:
                del self.model[key]

    async def pass_time(self) -> None:
        seconds = self.random.choice(STRIDES)
        self.now += seconds
        await self.stride(seconds)


async def test_memory_agrees_with_the_model():
    """Catches: any fence that is left out of `remembering`."""
    await over_memory(Walk)


async def test_sqlite_agrees_with_the_model(tmp_path: Path):
    """Catches: a column that is not written, or read back as something else."""
    await over_sqlite(Walk, tmp_path)


async def test_redis_agrees_with_the_model():
    """Its clock is its own: time passes by moving every end. Catches: Lua that differs."""
    await over_redis(Walk, _moves_ends)


_MOVE = """
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -ARGV[1], key) end
"""


def _moves_ends(server: Valkey, key: str) -> Callable[[float], Awaitable[None]]:
    async def passes(seconds: float) -> None:
        if seconds >= 1:  # a hair passes there by itself
            server.ask("EVAL", _MOVE, "1", f"{key}:ends", str(seconds))

    return passes
