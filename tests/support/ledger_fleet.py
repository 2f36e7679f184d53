"""Several `ledger_worker`s at one ledger, killed and replaced at random, and what their logs must show in the end."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from headrace.ledger import Ledger
from support.ledger_worker import SHARDS

ROOT = Path(__file__).parents[2]


class Fleet:
    """Processes by their owner's name. Leaving it kills those that are left.

    `worker` is what they run; how far they are shows in the lines that begin with `word`.
    """

    worker, word = "support.ledger_worker", "commit"

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder, self._started = url, folder, 0
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        owner = f"worker-{self._started}"
        self._started += 1
        command = [sys.executable, "-m", self.worker, self._url, owner, str(self._folder / f"{owner}.log")]
        paths = [str(ROOT / part) for part in ("core", "connectors", "tests")]
        self.running[owner] = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})

    def kill(self, owner: str) -> None:
        process = self.running.pop(owner)
        assert process.poll() is None, "it ended by itself"
        process.kill()
        process.wait()

    def lines(self) -> list[list[str]]:
        """What all of them wrote; a killed one may have left half a line at its end."""
        texts = [path.read_text() for path in self._folder.glob("worker-*.log")]
        return [line.split() for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def done(self) -> int:
        return sum(line[0] == self.word for line in self.lines())

    async def torment(self, kills: int, between: Callable[[int], Awaitable[None]] | None = None) -> None:
        """Three at work; *kills* times one of them is killed, after some more is done, and replaced."""
        chance = random.Random(7)
        for _ in range(3):
            self.start()
        for turn in range(kills):
            reached = self.done() + 20
            while self.done() < reached:
                assert all(process.poll() is None for process in self.running.values()), "one ended by itself"
                await asyncio.sleep(0.01)
            if between:
                await between(turn)
            self.kill(chance.choice(sorted(self.running)))
            self.start()
        for owner in list(self.running):
            self.kill(owner)

    async def check(self, ledger: Ledger) -> None:
        """Nothing torn, no lease held twice, nothing that was committed taken back."""
        lines = self.lines()
        leases = {(shard, epoch, owner) for word, shard, epoch, owner, _ in lines if word == "lease"}
        assert len(leases) == len({(shard, epoch) for shard, epoch, _ in leases}), "an epoch was given to two"
        commits = [(shard, int(number)) for word, shard, _, _, number in lines if word == "commit"]
        assert len(commits) == len(set(commits)), "a position was committed by two"
        begun = {(shard, epoch): int(position) for word, shard, epoch, _, position in lines if word == "lease"}
        for shard in SHARDS:
            done = sorted(
                (int(epoch), int(number)) for word, name, epoch, _, number in lines if (word, name) == ("commit", shard)
            )
            numbers = [number for _, number in done]
            assert numbers == sorted(numbers), "a later epoch committed an earlier position"
            for epoch, number in done:
                assert all(
                    began >= number for (name, other), began in begun.items() if name == shard and int(other) > epoch
                )
        graph = await ledger.rows("m")
        assert [row.shard for row in graph.rows] == SHARDS
        for row in graph.rows:
            assert row.memo == (row.position.encode() if row.position != "0" else None), "half of a commit"
            assert int(row.position) >= max((number for shard, number in commits if shard == row.shard), default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for owner in list(self.running):
            process = self.running.pop(owner)
            process.kill()
            process.wait()
