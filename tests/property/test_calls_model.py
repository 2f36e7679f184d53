"""Random verbs on a queue of calls, old takings among them: memory, SQLite and a real Redis agree with one model.

The model is a list that is sorted anew each time. Its clock goes on a hair with every step, as those of the stores do,
so that what was put or put back first is due first in all of them; else time passes in strides that no hair bridges.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.calls import Call, Taken, Waiting
from headrace.ledger import Lease, Ledger, Shard
from headrace.model import LaneLost
from support.redis import Valkey
from support.walks import over_memory, over_redis, over_sqlite

STEPS = 60
IDS = [f"c{number}" for number in range(9)]
GROUPS = ("", "g", "h")
OWNERS = ("w1", "w2")
STRIDES = (0, 500, 2000)
TTLS = (900, 5000)
HAIR = 0.001


@dataclass
class Modelled:
    call: Call
    due: float
    attempt: int = 0
    was_alone: bool = False
    taking: Taken | None = None
    until: float = 0.0


class Walk:
    """One random walk over a queue; `stride` makes the store's clock go on."""

    def __init__(self, ledger: Ledger, stride: Callable[[float], Awaitable[None]], seed: int) -> None:
        self.ledger, self.stride, self.random = ledger, stride, random.Random(seed)
        self.now = 0.0
        self.model: dict[str, Modelled] = {}
        self.notes: dict[str, str] = {}
        self.takings: list[Taken] = []
        self.position, self.paused = 0, False

    async def run(self) -> None:
        await self.ledger.plan("m", "stream", [Shard(name="a", position="0")])
        self.lease = await self.leased("w")
        verbs = [self.put] * 3 + [self.take] * 5 + [self.settle, self.put_back, self.hold, self.pass_time] * 2
        verbs += [self.begin_alone] * 2
        verbs += [self.commit, self.commit, self.move, self.pause]
        for _ in range(STEPS):
            self.now += HAIR
            await self.stride(HAIR)
            await self.random.choice(verbs)()
            await self.compare()

    async def leased(self, owner: str) -> Lease:
        lease = await self.ledger.acquire("m", "a", owner, 1e9)
        assert lease
        return lease

    def held(self, m: Modelled) -> bool:
        return m.taking is not None and self.now < m.until

    async def some(self) -> list[tuple[Call, float]]:
        """Calls, and when each is due by the model's clock."""
        now, some = await self.ledger.now(), []
        for id_ in self.random.sample(IDS, self.random.randint(1, 4)):
            late = self.random.choice([None, -700, -300, 300, 700])
            group, alone = self.random.choice(GROUPS), self.random.random() < 0.5
            call = Call(id=id_, event="{}", due=0 if late is None else now + late, group=group, alone=alone)
            some.append((call, self.now + (late or 0)))
        return some

    def accept(self, some: list[tuple[Call, float]]) -> set[str]:
        new = {call.id: Modelled(call, due) for call, due in some if call.id not in self.model}
        self.model |= new
        return set(new)

    async def put(self) -> None:
        some = await self.some()
        assert await self.ledger.put("m", [call for call, _ in some]) == self.accept(some)

    async def commit(self) -> None:
        """One that moves, or one that comes again."""
        some, moves = await self.some(), self.random.random() < 0.7
        self.position += moves
        await self.ledger.commit(self.lease, str(self.position), calls=[call for call, _ in some])
        if moves:
            self.accept(some)

    async def move(self) -> None:
        """The shard goes to another; who had it puts nothing more."""
        old = self.lease
        await self.ledger.release(old)
        self.lease = await self.leased("v" if old.owner == "w" else "w")
        with pytest.raises(LaneLost):
            await self.ledger.commit(old, "-1", calls=[call for call, _ in await self.some()])

    def takeable(self, limit: int) -> list[Modelled]:
        chosen: list[Modelled] = []
        for m in sorted(self.model.values(), key=lambda m: (m.due, m.call.id)):
            group = [o for o in self.model.values() if o.call.group == m.call.group]
            busy = any(self.held(o) or o in chosen for o in group)
            busy = busy or (not m.attempt and any(o.attempt and not self.held(o) for o in group))
            if m.due <= self.now and not self.held(m) and not (m.call.alone and busy) and len(chosen) < limit:
                chosen.append(m)
        return chosen

    async def take(self) -> None:
        limit, ttl, owner = self.random.randint(1, 4), self.random.choice(TTLS), self.random.choice(OWNERS)
        chosen = [] if self.paused else self.takeable(limit)
        taken = await self.ledger.take("m", owner, limit, ttl)
        assert [one.call for one in taken] == [m.call for m in chosen]
        for m, one in zip(chosen, taken, strict=True):
            m.attempt, m.taking, m.until = m.attempt + 1, one, self.now + ttl
            assert (one.attempt, one.was_alone) == (m.attempt, m.was_alone)
            assert one not in self.takings, "an old taking came to life again"
        self.takings += taken

    def old_and_new(self) -> tuple[list[Taken], set[Taken]]:
        """Some takings, and those of them that are good."""
        some = self.random.sample(self.takings[-8:], min(len(self.takings), self.random.randint(1, 4)))
        found = [(one, self.model.get(one.call.id)) for one in some]
        return some, {one for one, m in found if m and self.held(m) and m.taking == one}

    async def settle(self) -> None:
        some, good = self.old_and_new()
        notes = {one.call.id: secrets.token_hex(2) for one in some if self.random.random() < 0.7}
        assert await self.ledger.settle(some, notes) == set(some) - good
        for one in some:
            if one in good:
                m = self.model.pop(one.call.id)
                if one.call.id in notes:
                    self.notes[m.call.group] = notes[one.call.id]

    async def put_back(self) -> None:
        some, good = self.old_and_new()
        delay, begun = self.random.choice(STRIDES), self.random.random() < 0.5
        assert await self.ledger.put_back(some, delay, begun=begun) == set(some) - good
        for one in good:
            m = self.model[one.call.id]
            m.taking, m.due, m.attempt = None, self.now + delay, m.attempt if begun else m.attempt - 1
            m.was_alone = False

    async def begin_alone(self) -> None:
        some, good = self.old_and_new()
        for one in some:
            assert await self.ledger.begin_alone(one) is (one in good)
        for one in good:
            self.model[one.call.id].was_alone = True

    async def hold(self) -> None:
        some, good = self.old_and_new()
        ttl = self.random.choice(TTLS)
        assert await self.ledger.hold(some, ttl) == set(some) - good
        for one in good:
            self.model[one.call.id].until = self.now + ttl

    async def pause(self) -> None:
        self.paused = not self.paused
        await self.ledger.pause("m", paused=self.paused)

    async def pass_time(self) -> None:
        seconds = self.random.choice(STRIDES)
        self.now += seconds
        await self.stride(seconds)

    async def compare(self) -> None:
        held = sum(self.held(m) for m in self.model.values())
        due = sum(m.due <= self.now and not self.held(m) for m in self.model.values())
        counted = Waiting(due=due, later=len(self.model) - due - held, taken=held)
        assert await self.ledger.waiting("m") == counted
        groups = [m.call.group for m in self.model.values()]
        assert await self.ledger.unfinished("m", GROUPS) == {group: groups.count(group) for group in set(groups)}
        assert await self.ledger.unsettled("m", [*IDS, "none"]) == set(self.model)
        assert await self.ledger.notes("m") == self.notes


async def test_memory_agrees_with_the_model():
    """Catches: any fence, any order and any count that is left out of `calling`."""
    await over_memory(Walk)


async def test_sqlite_agrees_with_the_model(tmp_path: Path):
    """Catches: a column that is not written, or read back as something else."""
    await over_sqlite(Walk, tmp_path)


async def test_redis_agrees_with_the_model():
    """Its clock is its own: time passes by moving every due and every expiry. Catches: Lua that differs."""
    await over_redis(Walk, _moves_times)


_MOVE = """
for _, key in ipairs({KEYS[2], KEYS[3]}) do
    for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[1], id) end
end
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(id, 1, 4) == 'due:' then
        local due = redis.call('HGET', KEYS[1], id)
        redis.call('HSET', KEYS[1], id, string.format('%.17g', due - ARGV[1]))
    end
end
"""


def _moves_times(server: Valkey, key: str) -> Callable[[float], Awaitable[None]]:
    keys: Sequence[str] = [f"{key}:{name}" for name in ("calls", "due", "taken")]

    async def passes(seconds: float) -> None:
        if seconds >= 1:  # a hair passes there by itself
            server.ask("EVAL", _MOVE, "3", *keys, str(seconds))

    return passes
