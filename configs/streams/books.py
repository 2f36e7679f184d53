# ruff: noqa: INP001 - part of a script
"""The books: what the producer, the handlers and the failure destination wrote down, and what that shows."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from copies import Copy, whole_lines

from headrace.testing.history import Attempt, attempts
from headrace.testing.lineage import Lineage, Produced, Write, check_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Everything that is known at the end. `parents` are those of each shard, `given_up` times by number."""

    produced: Sequence[Produced]
    bad: frozenset[int]
    history: Sequence[Attempt]
    parents: Mapping[str, Sequence[str]]
    given_up: Mapping[int, float]
    broken: Mapping[tuple[str, int], str]
    writes: Sequence[Write]

    def lineage(self) -> Lineage:
        return check_stream(
            self.history,
            self.produced,
            parents=self.parents,
            given_up=self.given_up,
            broken=self.broken,
            writes=self.writes,
        )

    def faults(self, wanted: int, lineage: Lineage) -> list[str]:
        """What does not hold, in words."""
        found = [f"{kind}: {words}" for kind, words in lineage.breaches]
        if len(self.produced) != wanted:
            found.append(f"{wanted - len(self.produced):,} readings were never accepted by the stream")
        if wrong := set(self.given_up) ^ self.bad:
            found.append(f"given up without being bad, or the other way round: {sorted(wrong)[:10]}")
        return found

    @property
    def handled(self) -> set[int]:
        return {one.number for one in self.history if one.end == "done"}


def sent(path: Path) -> list[Produced]:
    found = []
    for line in whole_lines(path):
        one = json.loads(line)
        found.append(Produced(number=one["n"], key=one["key"], shard=one["shard"], sequence=one["sequence"]))
    return found


def bad(path: Path) -> list[int]:
    """The readings that no handler takes."""
    return [one["n"] for one in map(json.loads, whole_lines(path)) if one["bad"]]


def noted(copies: Sequence[Copy]) -> list[Attempt]:
    return attempts(line for copy in copies for line in whole_lines(copy.book))


def given_up(path: Path, produced: Sequence[Produced]) -> dict[int, float]:
    """When each number was given up, from the failure records: a stretch of a shard each."""
    found: dict[int, float] = {}
    for line in whole_lines(path) if path.exists() else ():
        record = json.loads(line)
        info = record["KinesisBatchInfo"]
        first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
        at = datetime.fromisoformat(record["timestamp"]).timestamp()
        for one in produced:
            if one.shard == info["shardId"] and first <= one.sequence <= last:
                found.setdefault(one.number, at)
    return found


def leases(copies: Sequence[Copy]) -> tuple[dict[tuple[str, int], str], list[Write]]:
    """From the copies' logs: what was done to each lease that was not let go of in order, and when each other was."""
    broken: dict[tuple[str, int], str] = {}
    writes = []
    for copy in copies:
        held: dict[str, int] = {}
        for told in copy.said("lease.taken", "lane.closed", "lease.lost"):
            shard, at = told["lane"], _at(told)
            if told["event"] == "lease.taken":
                held[shard] = told["epoch"]
            elif told["event"] == "lease.lost" and shard in held:
                broken[shard, held.pop(shard)] = "lease lost"
            elif shard in held:
                writes.append(Write(at=at, verb="release", shard=shard, epoch=held.pop(shard)))
        if copy.killed_at is not None:
            broken |= dict.fromkeys(held.items(), "kill")
    return broken, writes


def takeovers(copies: Sequence[Copy]) -> list[float]:
    """Seconds from the kill of a copy to the next lease of each shard that it held; endless where there was none."""
    taken = [(told["lane"], _at(told)) for copy in copies for told in copy.said("lease.taken")]
    found = []
    for copy in copies:
        if copy.killed_at is not None:
            for (shard, _), cause in leases([copy])[0].items():
                after = [at - copy.killed_at for lane, at in taken if lane == shard and at > copy.killed_at]
                found += [min(after, default=math.inf)] * (cause == "kill")
    return found


def _at(told: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(told["timestamp"]).timestamp()


def parents(listed: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Of each shard, as ListShards tells."""
    named = ("ParentShardId", "AdjacentParentShardId")
    return {shard["ShardId"]: [shard[name] for name in named if shard.get(name)] for shard in listed}


def per_copy(history: Sequence[Attempt], copy: Copy) -> tuple[int, int, int]:
    """Readings that it handled, calls, and attempts that came to nothing (failed, or cut off)."""
    ours = [one for one in history if one.pid == copy.pid]
    done = {one.number for one in ours if one.end == "done"}
    return len(done), len({one.call for one in ours}), sum(one.end != "done" for one in ours)


def per_shard(books: Books, shard: str) -> tuple[int, int, int, list[int]]:
    """Readings sent, handled and given up, and the processes that read it, in the order in which they did."""
    mine = {one.number for one in books.produced if one.shard == shard}
    pids = Counter(one.pid for one in books.history if one.lane == shard)  # a Counter keeps the order of first sight
    return len(mine), len(mine & books.handled), len(mine & set(books.given_up)), list(pids)
