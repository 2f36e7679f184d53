"""Schedules while who fires them is killed, or sleeps: each occurrence at least once, each repeat for that."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headrace.testing import history
from headrace.testing.history import Attempt, Cause, Kill, Stopped
from headrace_connectors.schedule.bucket import LOOK
from support import ticks
from support.redis import Valkey
from support.service import HANDLERS, Service, boot

SCHEDULES = 300
PERIOD = 30.0
COPIES = 5
KILLS = int(os.environ.get("HEADRACE_KILLS", "6"))
TTL = 2.0
JITTER = 6.0


@dataclass(frozen=True, slots=True)
class Emptied:
    """FLUSHALL: what was at a handler then, or had ended so shortly before that nobody had looked, runs again."""

    at: float
    name: str = "emptied"

    def explains(self, before: Attempt, after: Attempt) -> bool:
        return before.begun < self.at + TTL and before.ended > self.at - LOOK - TTL and after.begun > self.at


def config(state: str, jitter: float) -> dict[str, Any]:
    """Three hundred schedules, a tenth of a second apart; what fires waits in the queue for up to *jitter* seconds."""
    return {
        "service": {"name": "faults", "listen": None, "log": {"format": "json"}, "state": state, "lease_ttl": TTL},
        "functions": {"work": {"handler": "tick_handlers.work", "path": str(HANDLERS), "timeout": 30}},
        "mappings": {
            "ticks": {
                "source": {
                    "type": "ticks",
                    "missed": "all",
                    "jitter": jitter,
                    "schedules": {
                        str(number): {
                            "schedule_expression": f"every({PERIOD}, {number / 10:.1f})",
                            "input": f'{{"schedule": {number}, "at": "<aws.scheduler.scheduled-time>"}}',
                        }
                        for number in range(SCHEDULES)
                    },
                },
                "function": "work",
            }
        },
    }


def number_of(schedule: int, at: float) -> int:
    return schedule * 100_000_000 + int(at // PERIOD)


def planned(begin: float, end: float) -> set[int]:
    """Every occurrence that lies between two Unix times."""
    return {
        number_of(schedule, at)
        for schedule in range(SCHEDULES)
        for period in range(int(begin // PERIOD) - 1, int(end // PERIOD) + 2)
        if begin < (at := period * PERIOD + schedule / 10) <= end
    }


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with Valkey("--appendonly", "yes") as server:
        yield server


@pytest.fixture
def copies(tmp_path: Path, valkey: Valkey, request: pytest.FixtureRequest) -> Iterator[list[Service]]:
    """Five, over one Valkey, that keep one book; not started. A parameter is the schedules' jitter."""
    ticks.install(tmp_path / "installed")
    around = {
        "BOOK": str(tmp_path / "book"),
        "PERIOD": str(PERIOD),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "installed"), str(HANDLERS.parent)]),
    }
    settings = config(valkey.url, getattr(request, "param", 0.0))
    made = [Service(tmp_path / f"copy-{number}", settings, around) for number in range(COPIES)]
    yield made
    for copy in made:
        copy.stop()


async def test_five_copies_and_kills_at_random(copies: list[Service], tmp_path: Path) -> None:
    """Mutations: calls that are written behind their position; a takeover that begins at now; a call that is settled
    as it is taken."""
    kills: list[Cause] = []
    async with judged(copies, tmp_path / "book", kills):
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(1, 4))
            victim = random.choice(copies)
            pid = victim.pid
            kills.append(Kill(pid, victim.kill()))
            await asyncio.sleep(random.uniform(0, 2))
            victim.start()


async def test_copies_that_sleep_past_their_leases(copies: list[Service], tmp_path: Path) -> None:
    """As on a machine that was suspended: what they held is another's when they wake. Mutation: a taking, or a bucket,
    that goes on without a look at its deadline."""
    stops: list[Cause] = []
    async with judged(copies, tmp_path / "book", stops):
        for _ in range(3):
            sleeper = random.choice(copies)
            stops.append(Stopped(sleeper.pid, sleeper.pause()))
            await asyncio.sleep(2.5 * TTL)
            sleeper.resume()
            await asyncio.sleep(1)


@pytest.mark.parametrize("copies", [JITTER], indirect=True)
async def test_a_store_that_is_emptied_under_five_copies(copies: list[Service], valkey: Valkey, tmp_path: Path) -> None:
    """Some sixty calls wait in it each time. Mutations: positions that are written back as they were; a mend that puts
    nothing."""
    times: list[Cause] = []
    async with judged(copies, tmp_path / "book", times):
        for _ in range(3):
            await asyncio.sleep(random.uniform(2, 3) * LOOK)
            times.append(Emptied(boot()))
            valkey.ask("FLUSHALL")
    assert sum(copy.events("schedule.put_again") for copy in copies) > len(times)


@asynccontextmanager
async def judged(copies: list[Service], book: Path, causes: list[Cause]) -> AsyncIterator[None]:
    """Every occurrence that lies within the block is run, and again only for one of *causes*, which the block adds."""
    for copy in copies:
        copy.start()
    await until_all_fire(copies, book)
    begin = time.time()
    yield
    await asyncio.sleep(PERIOD / 3)
    end = time.time()
    await asyncio.sleep(3 * TTL + JITTER + 10)
    for copy in copies:
        copy.terminate()
    for copy in copies:
        assert await copy.ended() == 0, copy.log_text()
    lines, sure = book.read_text().splitlines(), planned(begin, end)
    found = history.check(history.attempts(lines), sure, unsure=planned(begin - 600, end + 600), causes=causes)
    print(f"{len(sure)} occurrences, {len(causes)} causes: {found}; {lateness(lines)}")  # noqa: T201 - docs/promises.md
    assert not found.lost
    assert not found.strangers
    assert not found.unexplained


def lateness(lines: list[str]) -> str:
    """Of what was begun, the first time, behind what was planned."""
    told = [json.loads(line) for line in lines]
    late = sorted(one["wall"] - one["planned"] for one in told if one["phase"] == "begun" and one["rc"] == 1)
    return f"late by {late[len(late) // 2]:.2f} s (p50), {late[len(late) * 99 // 100]:.2f} s (p99)"


async def until_all_fire(copies: list[Service], book: Path) -> None:
    """Every copy has handled something: the books begin when all run."""
    async with asyncio.timeout(90):
        while True:
            await asyncio.sleep(0.5)
            pids = {json.loads(line)["pid"] for line in book.read_text().splitlines()} if book.exists() else set()
            if pids >= {copy.pid for copy in copies}:
                return
