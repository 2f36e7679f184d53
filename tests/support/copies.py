"""Copies of one service, each process with a log of its own: killed, started anew, and who took over from whom."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from support.service import Service, until

TAKEN = {"lease.taken": ("lease.lost", "lease lost"), "partition.taken": ("lane.lost", "lane lost")}
"""Lines of a log that say what a process has from now on: a shard by a ledger's lease, a partition by its group. With
each, the line that says it was lost alive, and what a repeat of it is called.
"""


@dataclass(frozen=True, slots=True)
class Killed:
    """A process that is dead, since when on the wall's clock, and the leases that it held: (shard, epoch)."""

    pid: int
    at: float
    held: frozenset[tuple[str, int]]


class Copies:
    """So many processes of one config. Each start is a `Service` of its own: `every` has them all."""

    def __init__(self, make: Callable[[], Service], count: int) -> None:
        self._make = make
        self.every: list[Service] = []
        self.running = [self._start() for _ in range(count)]
        self.killed: list[Killed] = []

    def _start(self) -> Service:
        service = self._make()
        service.start()
        self.every.append(service)
        return service

    def kill_one(self, chance: random.Random) -> None:
        """And start another at once; one that was stopped is let sleep."""
        self.kill(chance.choice([index for index, service in enumerate(self.running) if not service.paused]))

    def kill(self, index: int) -> None:
        """The same of a certain one."""
        service = self.running[index]
        pid = service.pid
        service.kill()
        self.killed.append(Killed(pid, time.time(), frozenset(held(service))))
        self.running[index] = self._start()

    def join(self) -> None:
        """One more."""
        self.running.append(self._start())

    async def leave_one(self, chance: random.Random) -> None:
        """One less, in order: SIGTERM, and its end waited for."""
        service = self.running.pop(chance.randrange(len(self.running)))
        service.terminate()
        assert await service.ended() == 0, service.log_text()

    def raise_the_dead(self) -> None:
        """Start another for each that ended by itself; to be called often: when it died is taken to be now."""
        for index, service in enumerate(self.running):
            if not service.alive:
                self.killed.append(Killed(service.pid, time.time(), frozenset(held(service))))
                self.running[index] = self._start()

    async def keep_raising_the_dead(self) -> None:
        """Until it is cancelled."""
        while True:
            self.raise_the_dead()
            await asyncio.sleep(0.1)

    async def all_taken(self, shards: int) -> None:
        await until(lambda: sum(len(held(one)) for one in self.running) >= shards, why=self.log_text)

    async def stop(self) -> None:
        """In order."""
        for service in self.running:
            service.terminate()
        for service in self.running:
            assert await service.ended() == 0, service.log_text()

    def broken(self) -> dict[tuple[str, int], str]:
        """What the kills, and the logs, say of leases that were not let go of."""
        return {**lost(self.every), **{lease: "kill" for one in self.killed for lease in one.held}}

    def takeovers(self) -> list[float]:
        """Seconds from each kill until another had each shard of the dead; shards that nobody took had ended."""
        taken: dict[str, list[tuple[int, float]]] = {}
        for service in self.every:
            for shard, epoch, at in leases(service):
                taken.setdefault(shard, []).append((epoch, at))
        found = []
        for one in self.killed:
            for shard, epoch in one.held:
                following = min((each for each in taken[shard] if each[0] > epoch), default=None)
                if following is not None:
                    found.append(following[1] - one.at)
        return found

    def log_text(self) -> str:
        return "\n".join(service.log_text() for service in self.running)


def measured(copies: Copies, repeats: Counter[str]) -> None:
    """Prints what docs/promises.md quotes."""
    times = copies.takeovers()
    assert times, "nothing was taken over"
    print(  # noqa: T201 - the measurement
        f"{len(copies.killed)} kills, {len(times)} takeovers: p50 {quantile(times, 0.5):.2f} s, "
        f"p99 {quantile(times, 0.99):.2f} s; repeats {dict(repeats)}, "
        f"{repeats['kill'] / len(copies.killed):.0f} a kill"
    )


def leases(service: Service) -> Iterator[tuple[str, int, float]]:
    """Shard, epoch and wall time of every lease that a process took."""
    for line in service.log():
        if line.get("event") in TAKEN:
            yield line["lane"], line["epoch"], when(line)


def held(service: Service) -> dict[tuple[str, int], float]:
    """The leases that a process took, and neither let go of nor lost, with the wall time at which it took them."""
    now: dict[str, tuple[int, float]] = {}
    for line in service.log():
        if line.get("event") in TAKEN:
            now[line["lane"]] = line["epoch"], when(line)
        elif line.get("event") in {"lane.closed", "lease.lost"}:
            now.pop(line["lane"], None)
    return {(shard, epoch): at for shard, (epoch, at) in now.items()}


def lost(services: list[Service]) -> dict[tuple[str, int], str]:
    """Leases that processes lost alive, by what their logs say."""
    found: dict[tuple[str, int], str] = {}
    for service in services:
        now: dict[tuple[str, str], tuple[int, str]] = {}  # by the line that would say that it is lost, and the shard
        for line in service.log():
            if said := TAKEN.get(line.get("event", "")):
                now[said[0], line["lane"]] = line["epoch"], said[1]
            elif known := now.get((line.get("event", ""), line.get("lane", ""))):
                epoch, word = known
                found[line["lane"], epoch] = word
    return found


def when(line: dict[str, Any]) -> float:
    """Of a line of a log, in Unix seconds."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def quantile(values: list[float], q: float) -> float:
    """The smallest value that so large a part of all are at or below."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]
