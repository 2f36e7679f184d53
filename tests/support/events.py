"""Asynchronous invocations under faults: who feeds them, where their records gather, and how both are judged.

How the attempts of an event end goes by its number: `ENDS`. Odd numbers are of the function `first`, whose successes
are told to `follow` too; even ones of `work`. A record of `follow` has the negative number of the event it tells of.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

from headrace.asynchronous import packed, queue_of
from headrace.errors import LedgerError
from headrace.ledger import Ledger
from headrace.testing import history
from headrace.testing.history import Attempt, Cause, Findings
from support.service import HANDLERS

FUNCTIONS = ("work", "first", "follow")
ENDS = {0: ["failed"], 1: ["failed", "done"], 2: ["hung"], 3: ["hung", "done"], 5: ["failed", "failed", "done"]}
"""By the number's rest of twenty; the others are done at once."""
ATTEMPTS = 3


def ends(number: int) -> list[str]:
    return ENDS.get(number % 20, ["done"])


def function_of(number: int) -> str:
    return "first" if number % 2 else "work"


def config(state: str, folder: Path, ttl: float) -> dict[str, Any]:
    """Three functions without any mapping; their records go to files in *folder*."""

    def function(handler: str, *told: object) -> dict[str, Any]:
        to = {end: {"destination": {"type": "file", "path": str(folder / end)}} for end in ("on_success", "on_failure")}
        if told:
            to["on_success"] = {"destination": [to["on_success"]["destination"], *told]}
        retries = {"maximum_retry_attempts": ATTEMPTS - 1, "retry_backoff": {"initial": 0.3, "maximum": 0.6}}
        return {
            "handler": f"event_handlers.{handler}",
            "path": str(HANDLERS),
            "timeout": 1,
            "event_invoke_config": {**retries, "destination_config": to},
        }

    return {
        "service": {"name": "faults", "listen": None, "log": {"format": "json"}, "state": state, "lease_ttl": ttl},
        "functions": {
            "work": function("work"),
            "first": function("work", {"type": "function", "function": "follow"}),
            "follow": function("follow"),
        },
    }


@dataclass(slots=True, kw_only=True)
class Feeder:
    """Puts numbers on the queues until `enough`, and no less than *at_least*; `accepted` are their request ids."""

    ledger: Ledger
    at_least: int
    accepted: dict[int, str] = field(default_factory=dict)
    _next: int = 1
    _enough: bool = False

    async def keep(self) -> None:
        while not self._enough or self._next <= self.at_least:
            numbers = range(self._next, self._next + 6)
            self._next += len(numbers)
            for function in ("work", "first"):
                await self._put(function, {n: str(uuid4()) for n in numbers if function_of(n) == function})
            await asyncio.sleep(0.1)

    def enough(self) -> None:
        self._enough = True

    async def _put(self, function: str, ids: Mapping[int, str]) -> None:
        """Again while the store is away, under the same ids."""
        calls = [packed(one, {"n": number, "ends": ends(number)}) for number, one in ids.items()]
        while True:
            try:
                await self.ledger.put(queue_of(function), calls)
            except LedgerError:
                await asyncio.sleep(0.1)
            else:
                self.accepted |= ids
                return

    async def by_command(self, file: Path, environment: Mapping[str, str]) -> None:
        """One as people send it: `headrace invoke --async`."""
        number, self._next = self._next, self._next + 1
        words = ["invoke", str(file), function_of(number), "--async", "--json", "--event", "-"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "headrace.cli.main", *words),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        out, _ = await process.communicate(json.dumps({"n": number, "ends": ends(number)}).encode())
        assert process.returncode == 0
        self.accepted[number] = json.loads(out)["RequestId"]

    async def emptied(self, seconds: float = 120) -> None:
        """Wait until nothing is left on any queue."""
        async with asyncio.timeout(seconds):
            while [one for one in FUNCTIONS if (await self.ledger.waiting(queue_of(one))).total]:
                await asyncio.sleep(0.2)


@dataclass(frozen=True, slots=True)
class ToldTwice:
    """What `follow` is told comes again where the event that it tells of was done again."""

    numbers: frozenset[int]
    name: str = "told twice"

    def explains(self, before: Attempt, after: Attempt) -> bool:
        return -before.number in self.numbers


def records(file: Path) -> dict[int, list[dict[str, Any]]]:
    """By the number of the event, whole lines all."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for line in file.read_text().splitlines() if file.exists() else []:
        record = json.loads(line)
        event = record["requestPayload"]
        number = event["n"] if "n" in event else -event["requestPayload"]["n"]
        found[number].append(record)
    return found


def judge(book: Path, folder: Path, accepted: Mapping[int, str], causes: Sequence[Cause]) -> Findings:
    """Every accepted event has its record, each repeat its cause, and an event is never another than it was."""
    done, failed = records(folder / "on_success"), records(folder / "on_failure")
    attempts = history.attempts(book.read_text().splitlines())
    numbers = history.by_number(attempts)
    follows = {-number for number in accepted if number % 2 and number in done}
    twice = ToldTwice(frozenset(n for n in accepted if sum(one.end == "done" for one in numbers.get(n, [])) > 1))
    found = history.check(attempts, {*accepted, *follows}, dead=failed, causes=[*causes, twice])
    assert not found.lost
    assert not found.strangers
    assert not found.unexplained, found.unexplained[:3]
    assert {*done, *failed} == {*accepted, *follows}
    assert not done.keys() & failed.keys()
    assert {number for number in accepted if ends(number)[-1] == "done"} == done.keys() & accepted.keys()
    for number, mine in numbers.items():
        _judge_one(mine, [*done.get(number, []), *failed.get(number, [])], [*causes, twice])
        if number in accepted:
            assert {one.message_id for one in mine} == {accepted[number]}
    return found


def _judge_one(mine: Sequence[Attempt], told: Sequence[dict[str, Any]], causes: Sequence[Cause]) -> None:
    """One request id, as many attempts as are allowed and no more records than attempts could have ended in."""
    assert len({one.message_id for one in mine}) == 1
    most = max(one.count for one in mine)
    missed = most - len({one.count for one in mine})  # taken by one who died before it began
    excused = sum(history.explain(*two, causes) is not None for two in pairwise(mine))
    assert most <= ATTEMPTS + missed + excused, mine
    for record in told:
        context = record["requestContext"]
        assert context["requestId"] == mine[0].message_id
        assert context["condition"] in {"Success", "RetriesExhausted"}
    last = [one for one in mine if one.end == "done" or one.count >= ATTEMPTS]
    assert len(told) <= len(last), (mine, told)
