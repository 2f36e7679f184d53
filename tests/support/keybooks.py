"""What became of keys: the runs that handlers noted, held against kills and against what the store remembered when."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from redis.asyncio import Redis

from headrace.keying import digest
from support.service import boot

SLACK = 0.02
"""Seconds between the reading of a clock and the writing of its line."""

REMEMBERED_WITHIN = 2.5
"""Seconds from a record's end to its verdict: what is left of its call, and one write."""


@dataclass(slots=True)
class Run:
    """One run of a key. `stop` is the hard stop of its call; `end` None: it was killed there."""

    key: int
    number: int
    pid: int
    call: str
    at: float
    stop: float
    end: float | None = None
    how: str = ""

    @property
    def over(self) -> float:
        """When another may begin."""
        return self.stop if self.end is None else self.end


def runs_in(folder: Path) -> list[Run]:
    """From the handlers' files; what a kill left of a line is no line."""
    found: dict[tuple[int, str, int], Run] = {}
    for file in folder.iterdir():
        for text in file.read_text().splitlines(keepends=True):
            if not text.endswith("\n"):
                continue
            line = json.loads(text)
            name = line["pid"], line["call"], line["n"]
            if line["phase"] == "begun":
                stop = line["at"] + line["left"] / 1000
                found[name] = Run(line["k"], line["n"], line["pid"], line["call"], line["at"], stop)
            else:
                found[name].end, found[name].how = line["at"], line["phase"]
    return sorted(found.values(), key=lambda run: run.at)


class Memory:
    """Looks at the store all the time: `seen` has, by key, when its verdict was there for certain."""

    def __init__(self, look: Callable[[], Awaitable[set[str]]], keys: int) -> None:
        self._look = look
        self._names = {digest(key): key for key in range(keys)}
        self.seen: dict[int, float] = {}

    async def keep_looking(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.2)

    async def look(self) -> None:
        done = await self._look()
        now = boot()
        for name in done:
            self.seen.setdefault(self._names[name], now)


@asynccontextmanager
async def remembering(state: str, keys: int) -> AsyncIterator[Memory]:
    """The `Memory` of the mapping `m` of the service `faults` in *state*, which looks beside the block."""
    redis = Redis.from_url(state) if state.startswith("redis") else None

    async def look() -> set[str]:
        if redis is not None:
            found: Mapping[bytes, bytes] = await redis.hgetall("headrace:{faults/m}:verdicts")  # type: ignore[misc]
            return {name.decode() for name, kept in found.items() if kept.startswith(b"d")}
        return await asyncio.to_thread(_done_in, state.removeprefix("sqlite:"))

    memory = Memory(look, keys)
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(memory.keep_looking())
        yield memory
        await memory.look()
        looking.cancel()
    if redis is not None:
        await redis.aclose()


def _done_in(path: str) -> set[str]:
    if not Path(path).exists():
        return set()
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            return {name for (name,) in connection.execute("SELECT key FROM verdicts WHERE done")}
    except sqlite3.OperationalError:  # not made yet
        return set()


@dataclass(frozen=True, slots=True)
class Found:
    """What there was of everything, so that a test can see that it was one."""

    runs: int
    keys: int
    killed_at_work: int
    failed: int
    repeats: Counter[str]

    def __str__(self) -> str:
        said = f"{self.runs} runs of {self.keys} keys, {self.killed_at_work} killed at work, {self.failed} failed"
        return f"{said}; repeats after success {dict(self.repeats)}"


def hold(folder: Path, sent: Iterable[int], kills: Mapping[int, float], seen: Mapping[int, float]) -> Found:
    """Nothing lost, no two runs of a key at once, none of what the store remembered.

    A run that succeeded is repeated only where its process was killed before the verdict was written, or the call had
    timed out. *kills*: process id and when it was dead; *seen*: as `Memory.seen`.
    """
    runs, by_key = runs_in(folder), dict[int, list[Run]]()
    for run in runs:
        by_key.setdefault(run.key, []).append(run)
    repeats: Counter[str] = Counter()
    lost = set(sent) - {run.key for run in runs if run.how == "done"}
    assert not lost, f"lost: {sorted(lost)[:10]}"
    for key, some in by_key.items():
        for one, next_ in pairwise(some):
            assert one.end is not None or one.pid in kills, f"{one} has no end, and nobody killed it"
            assert next_.at >= one.over - SLACK, f"two at once: {one} and {next_}"
            if one.how == "done":
                repeats[_cause(one, kills)] += 1
        late = [run for run in some if key in seen and run.at > seen[key] + SLACK]
        assert not late, f"{late[0]} was run though its verdict was there at {seen[key]}; all: {some}"
    return Found(
        runs=len(runs),
        keys=len(by_key),
        killed_at_work=sum(run.end is None for run in runs),
        failed=sum(run.how == "failed" for run in runs),
        repeats=repeats,
    )


def _cause(run: Run, kills: Mapping[int, float]) -> str:
    assert run.end is not None
    if run.end > run.stop - SLACK:
        return "timed out"
    died = kills.get(run.pid)
    assert died is not None, f"{run} succeeded, and was run again, and nobody killed it"
    assert died - run.end < REMEMBERED_WITHIN, f"{run} succeeded {died - run.end:.1f} s before its process was killed"
    return "killed before its verdict"
