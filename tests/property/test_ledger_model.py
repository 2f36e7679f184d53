"""Random verbs by several workers, old leases among them: memory, SQLite and a real Redis agree with one model.

The model keeps for a shard who may write it and what was written. Of epochs it knows where they begin and that they
rise; that none is given out twice, whatever becomes of rows and graphs, is seen in the leases.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.errors import GraphChanged
from headrace.ledger import Lease, Ledger, Mark, Row, Shard
from headrace.model import KEEP, LaneLost
from support.redis import Valkey
from support.walks import over_memory, over_redis, over_sqlite

STEPS = 60
SHARDS = ("a", "b")
OWNERS = ("w1", "w2", "w3")
TTLS = (1000, 5000, 20000)


@dataclass
class Modelled:
    position: str = "0"
    memo: bytes | None = None
    ended: bool = False
    crashes: int = 0
    mark: Mark | None = None
    asked: str | None = None
    holder: str | None = None
    until: float = 0.0
    valid: Lease | None = None
    epoch: int = 0


class Walk:
    """One random walk over a ledger; `pass_time` makes the store's clock go on."""

    def __init__(self, ledger: Ledger, pass_time: Callable[[float], Awaitable[None]], seed: int) -> None:
        self.ledger, self.pass_time, self.random = ledger, pass_time, random.Random(seed)
        self.now = 0.0
        self.model = {shard: Modelled() for shard in SHARDS}
        self.leases: list[Lease] = []
        self.begins, self.generation = 0, ""

    async def run(self) -> None:
        await self.ledger.plan("m", "stream", [Shard(name=shard, position="0") for shard in SHARDS])
        self.generation = (await self.ledger.rows("m")).generation or ""
        verbs = [self.acquire] * 4 + [self.commit] * 5 + [self.mark, self.release, self.renew, self.ask] * 2
        verbs += [self.seek, self.wait, self.wait, self.forget, self.forget, self.add, self.replan, self.restore]
        for _ in range(STEPS):
            await self.random.choice(verbs)()
            await self.compare()

    def held(self, shard: str) -> bool:
        m = self.model.get(shard, Modelled())
        return m.holder is not None and self.now < m.until and not m.ended

    def one(self) -> Lease:
        return self.random.choice(self.leases[-6:])

    async def acquire(self) -> None:
        shard, owner = self.random.choice(SHARDS), self.random.choice(OWNERS)
        ttl, m = self.random.choice(TTLS), self.model.get(shard)
        lease = await self.ledger.acquire("m", shard, owner, ttl)
        if m is None or m.ended or (self.held(shard) and m.holder != owner):
            assert lease is None
            return
        assert lease is not None
        if not self.held(shard):
            m.crashes += m.holder not in {None, owner}
            m.asked = None
            m.epoch += 1
            assert lease not in self.leases, "an old lease came to life again"
        m.holder, m.until, m.valid = owner, self.now + ttl, lease
        assert (lease.epoch, lease.position, lease.memo) == (m.epoch, m.position, m.memo)
        assert (lease.crashes, lease.mark) == (m.crashes, m.mark)
        self.leases.append(lease)

    async def fenced(self, lease: Lease, write: Awaitable[None]) -> bool:
        """Whether it was written: as the model says."""
        mine = self.held(lease.shard) and self.model[lease.shard].valid == lease
        if mine:
            await write
        else:
            with pytest.raises(LaneLost):
                await write
        return mine

    async def commit(self) -> None:
        if not self.leases:
            return
        lease, position = self.one(), str(self.random.randrange(5))
        m, memo = self.model.get(lease.shard, Modelled()), self.random.choice([KEEP, KEEP, None, b"", b"w\x00"])
        end = self.random.random() < 0.1
        if m.ended and m.valid == lease and end and position == m.position:
            await self.ledger.commit(lease, position, end=True)
            return
        if await self.fenced(lease, self.ledger.commit(lease, position, memo=memo, end=end)):
            if position != m.position:
                m.crashes, m.mark = 0, None
            m.position, m.ended = position, end
            m.memo = m.memo if memo is KEEP else memo  # type: ignore[assignment]

    async def mark(self) -> None:
        if self.leases:
            lease, mark = self.one(), Mark(position=str(self.random.randrange(5)), attempt=self.random.randrange(9))
            if await self.fenced(lease, self.ledger.mark(lease, mark)):
                self.model[lease.shard].mark = mark

    async def release(self) -> None:
        if not self.leases:
            return
        lease = self.one()
        m = self.model.get(lease.shard, Modelled())
        if m.valid == lease and m.holder in {None, lease.owner}:
            await self.ledger.release(lease)
            if not m.ended:
                m.holder = m.asked = None
        else:
            with pytest.raises(LaneLost):
                await self.ledger.release(lease)

    async def renew(self) -> None:
        chosen, ttl = set(self.leases[-6:]), self.random.choice(TTLS)
        renewal = await self.ledger.renew(dict.fromkeys(chosen, "reading"), ttl)
        kept = {lease for lease in chosen if self.held(lease.shard) and self.model[lease.shard].valid == lease}
        assert renewal.lost == chosen - kept
        assert set(renewal.generations.values()) <= {self.generation}
        assert renewal.asked == {lease: asked for lease in kept if (asked := self.model[lease.shard].asked) is not None}
        for lease in kept:
            self.model[lease.shard].until = self.now + ttl

    async def ask(self) -> None:
        shard, by = self.random.choice(SHARDS), self.random.choice(OWNERS)
        m = self.model.get(shard, Modelled())
        may = self.held(shard) and m.holder != by and m.asked in {None, by}
        assert await self.ledger.ask("m", shard, by) == may
        if may:
            m.asked = by

    async def seek(self) -> None:
        shards = [shard for shard in self.some() if shard in self.model]
        await self.ledger.seek("m", dict.fromkeys(shards, "s"))
        for shard in shards:
            m = self.model[shard]
            if not self.held(shard):
                m.holder = None
            m.position, m.memo, m.ended, m.crashes, m.mark, m.valid = "s", None, False, 0, None, None
            m.epoch += 1

    async def forget(self) -> None:
        shards = self.some()
        gone = {shard for shard in shards if shard in self.model and self.model[shard].ended}
        assert await self.ledger.forget("m", shards) == gone
        self.begins = max([self.begins, *(self.model.pop(shard).epoch + 1 for shard in gone)])

    async def add(self) -> None:
        shards = self.some()
        new = set(shards) - self.model.keys()
        assert await self.ledger.add("m", "stream", [Shard(name=shard, position="0") for shard in shards]) == new
        self.model |= {shard: Modelled(epoch=self.begins) for shard in new}

    async def replan(self) -> None:
        shards = [Shard(name=shard, position="r", ended=self.random.random() < 0.2) for shard in self.some()]
        assert not await self.ledger.replan("m", "another", "stream", shards)
        assert await self.ledger.replan("m", self.generation, "stream", shards)
        old, self.generation = self.model, (await self.ledger.rows("m")).generation or ""
        self.begins = 1 + max([self.begins, *(m.epoch for m in old.values())])
        self.model = {
            shard.name: Modelled(
                position="r", ended=shard.ended, epoch=old[shard.name].epoch + 1 if shard.name in old else self.begins
            )
            for shard in shards
        }

    async def restore(self) -> None:
        """What a worker may know: the row that is there, one before it, one that a store that was set back has lost."""
        known = [
            Row(shard=shard, position="k", epoch=self.known(shard), memo=self.random.choice([None, b"", b"k"]))
            for shard in self.some()
        ]
        with pytest.raises(GraphChanged):
            await self.ledger.restore("m", "stream", "another", known)
        lower = [row for row in known if row.shard not in self.model or self.model[row.shard].epoch < row.epoch]
        assert await self.ledger.restore("m", "stream", self.generation, known) == {row.shard for row in lower}
        self.model |= {row.shard: Modelled(position="k", memo=row.memo, epoch=row.epoch) for row in lower}

    def known(self, shard: str) -> int:
        m = self.model.get(shard)
        return self.random.choice([m.epoch, m.epoch + 1, m.epoch + 2, max(m.epoch - 1, 0)] if m else [self.begins])

    def some(self) -> list[str]:
        return self.random.sample(SHARDS, self.random.randint(1, len(SHARDS)))

    async def wait(self) -> None:
        seconds = self.random.choice([500, 2000, 30000])
        self.now += seconds
        await self.pass_time(seconds)

    async def compare(self) -> None:
        graph = await self.ledger.rows("m")
        assert {row.shard for row in graph.rows} == self.model.keys()
        assert (graph.generation, graph.epoch) == (self.generation, self.begins)
        for row in graph.rows:
            m = self.model[row.shard]
            assert (row.position, row.memo, row.ended, row.crashes) == (m.position, m.memo, m.ended, m.crashes)
            assert (row.mark, row.asked, row.epoch, row.held) == (m.mark, m.asked, m.epoch, self.held(row.shard))
            assert row.owner == m.holder


async def test_memory_agrees_with_the_model():
    """Catches: any fence, any clearing and any clock that is left out of `leasing`."""
    await over_memory(Walk)


async def test_sqlite_agrees_with_the_model(tmp_path: Path):
    """Catches: a column that is not written, or read back as something else."""
    await over_sqlite(Walk, tmp_path)


async def test_redis_agrees_with_the_model():
    """Its clock is its own: time passes by moving every expiry back. Catches: Lua that differs from `leasing`."""
    await over_redis(Walk, _moves_expiries)


def _moves_expiries(server: Valkey, key: str) -> Callable[[float], Awaitable[None]]:
    async def passes(seconds: float) -> None:
        for shard in SHARDS:
            if "expires" in server.ask("HKEYS", key) and not server.ask("HGET", key, f"expires:{shard}").startswith(
                "$-1"
            ):
                server.ask("HINCRBY", key, f"expires:{shard}", str(-round(seconds * 1000)))

    return passes
