"""Lanes whose records share keys, under seeded misfortune on virtual time: deaths, a store that is away, hung calls.

Three processes with a lane each (two logs and a queue) over one store. `HEADRACE_SEEDS` says how many seeds (100);
`HEADRACE_SEED=17` plays that one again. The key of a record is the first letter of its id.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest

from headrace.batcher import BatchPolicy
from headrace.functions.invocation import Lingering
from headrace.policy import FailurePolicy
from headrace.testing import MemoryLog, MemoryQueue, MemoryQueueLane, virtual
from support.engine import Rig, error, ok, partial
from support.keyed import LASTS, Shop, Store

ONE = os.environ.get("HEADRACE_SEED")
SEEDS = [int(ONE)] if ONE else range(int(os.environ.get("HEADRACE_SEEDS", "100")))
LIVES = 5
"""After so many disturbed lives of a lane the rest is calm, so that every story ends."""

KEYS = "abcdefgh"
COUNT = 24


@dataclass
class Run:
    """One run of a key: `over` is when another may begin."""

    key: str
    at: float
    over: float = float("inf")
    good: bool = False
    died: bool = False


class Line:
    """A process's way to the store; when it is `cut` nothing comes back any more."""

    def __init__(self, store):
        self.store, self.cut = store, False

    async def opened(self):
        return self

    def __getattr__(self, verb):
        async def asked(*arguments):
            if self.cut:
                await asyncio.Event().wait()
            return await getattr(self.store, verb)(*arguments)

        return asked


class World:
    """The store, what was run, and when each key was remembered."""

    def __init__(self, rng):
        self.rng, self.store = rng, Store()
        self.runs: list[Run] = []
        self.logs: list[MemoryLog] = []
        self.queue = MemoryQueue(visibility=10)
        self.remembered: dict[str, float] = {}
        finish = self.store.ledger.finish

        async def told(mapping, keys, *arguments):
            lost = await finish(mapping, keys, *arguments)
            for key in set(keys) - lost:
                self.remembered.setdefault(key, now())
            return lost

        self.store.ledger.finish = told

    def names(self, lane):
        return [f"{self.rng.choice(KEYS)}{lane}{number:02}" for number in range(COUNT)]

    async def misfortune(self):
        while True:
            await asyncio.sleep(self.rng.random() * 30)
            self.store.away = True  # for less than a hold: see "Two limits" in docs/architecture.md
            await asyncio.sleep(self.rng.choice([0.1, 1, 5]) * self.rng.random())
            self.store.away = False


def now():
    return asyncio.get_running_loop().time()


class Life:
    """One process, from its start to its stop or its death."""

    def __init__(self, world, owner, lane, log=None):
        self.world, self.rng, self.log, self.lane = world, world.rng, log, lane
        self.shop = Shop(world.store, owner)
        self.line = Line(world.store)
        self.shop.shared.verdicts = self.shop.shared.holds._verdicts = self.line.opened
        self.mine: list[Run] = []
        self.rig = Rig(
            lane,
            self.behave,
            once=self.shop.once,
            batch=BatchPolicy(size=self.rng.choice([1, 4, 10])),
            failure=FailurePolicy(backoff=self.rng.choice([0.1, 2]), bisect=self.rng.random() < 0.5),
            concurrency=3,
            strands=1,
        )

    async def behave(self, batch, _):
        """Up to a second short of the hard stop; or a call that times out there, and ends later, good or not."""
        if self.log is not None:
            self.check_order(batch)
        runs = [Run(name[0], now()) for name in batch]
        self.world.runs += runs
        self.mine += runs
        fate = self.rng.random()
        if fate < 0.05:
            return await self.hang(runs)
        await asyncio.sleep(self.rng.choice([0, 0.1, LASTS - 1]) * self.rng.random())
        failed = batch if fate < 0.15 else self.rng.sample(batch, 1) if fate < 0.25 else []
        for run, name in zip(runs, batch, strict=True):
            run.over, run.good = now(), name not in failed
        if self.log is not None and failed:  # what follows is delivered again, as in every sequence
            for run in runs[batch.index(failed[0]) :]:
                run.good = False
        return error() if failed is batch else partial(failed) if failed else ok()

    async def hang(self, runs):
        await asyncio.sleep(LASTS - 1)
        ended = asyncio.get_running_loop().create_future()

        def end():
            for run in runs:
                run.over = min(run.over, now())
            ended.done() or ended.set_result(None)

        asyncio.get_running_loop().call_later(self.rng.random() * 30, end)
        return error(Lingering(ended))

    def check_order(self, batch):
        """Before the first of a batch everything of the log is done; what it passes over was run before."""
        names = [name for name, *_ in self.log.entries]
        places = [names.index(name) for name in batch]
        assert places == sorted(places)
        missing = [name for name in names[: places[-1]] if name not in batch and name[0] not in self.world.remembered]
        assert not missing, f"{batch} before {missing}"

    def die(self):
        """Nothing of it goes on: its calls are as good as running until their hard stop."""
        self.line.cut = True
        for run in self.mine:
            if run.over > now():
                run.over, run.died = run.at + LASTS, True
            elif run.good and run.key not in self.world.remembered:
                run.died = True

    async def run(self, seconds, how):
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(self.keep())
            task = group.create_task(self.rig.pipeline.run())
            await asyncio.wait({task}, timeout=seconds)
            if how == "die" and not task.done():
                self.die()
                self.log.kill() if self.log is not None else self.lane.lose()
                task.cancel()
            else:
                self.rig.pipeline.stop(60)
            with suppress(asyncio.CancelledError):
                await task
            if not self.line.cut:
                self.rig.work.once.close(lambda: False)
            keeping.cancel()
        for run in self.mine:
            if not run.died:  # threads end with their process
                run.over = min(run.over, now())
        assert self.rig.tally.balance == 0

    async def keep(self):
        async with self.shop.shared.holds.kept():
            await asyncio.Event().wait()


async def lane_of(world, index):
    """One lane through its lives, each a process of its own."""
    rng, log = world.rng, world.logs[index] if index < len(world.logs) else None
    for life in range(1000):
        done = log.sealed and log.finished if log is not None else not len(world.queue)
        if done:
            return
        lane = log.lane(f"log {index}") if log is not None else MemoryQueueLane(world.queue)
        calm = life >= LIVES
        seconds = 120 if calm else rng.choice([1, 5, 30]) * rng.random()
        await Life(world, f"p{index}.{life}", lane, log).run(seconds, "stop" if calm else rng.choice(["stop", "die"]))
    raise AssertionError("it never ends")


@pytest.mark.parametrize("seed", SEEDS)
@virtual
async def test_each_key_is_run_once(seed):
    """No two runs of a key at once, none behind its verdict, after success only where a process died; order holds.

    Mutations, tried: what is held is run; a hold of half its time; a queue's order in a log; let go with the time-out;
    what failed is remembered.
    """
    print(f"HEADRACE_SEED={seed}")  # noqa: T201 - pytest shows it for a seed that fails
    rng = random.Random(seed)
    random.seed(seed)
    world = World(rng)
    for index in range(2):
        log = MemoryLog(page=rng.choice([5, 100]))
        log.put(world.names(index))
        log.seal()
        world.logs.append(log)
    world.queue.send(world.names(2))
    async with asyncio.TaskGroup() as group:
        misfortune = group.create_task(world.misfortune())
        async with asyncio.TaskGroup() as lanes:
            for index in range(3):
                lanes.create_task(lane_of(world, index))
        misfortune.cancel()
    judge(world)


def judge(world):
    assert set(world.remembered) == {run.key for run in world.runs}
    for key, remembered in world.remembered.items():
        runs = sorted((run for run in world.runs if run.key == key), key=lambda run: run.at)
        for one, following in pairwise(runs):
            assert following.at >= one.over, f"two at once: {one} {following}"
            assert not one.good or one.died, f"run again, and nobody died: {one} {following}"
        assert any(run.good and run.over <= remembered for run in runs), f"remembered, and never run well: {runs}"
        assert runs[-1].at <= remembered, f"run behind its verdict: {runs[-1]} {remembered}"


@pytest.fixture(autouse=True)
def _chance():
    state = random.getstate()
    yield
    random.setstate(state)
