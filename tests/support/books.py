"""Who sent what, who handled what: books of a producer and of a handler that know nothing of headrace, and a checker.

The producer writes each number that the queue has accepted, the handler each delivery as it begins and as it ends. The
checker reads these two files and the dead letters. It finds what is lost, and every delivery that was one too many and
that no named cause explains. Our own log may explain, never count.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from support.queues import counts

UNCONFIRMED = 3.0
"""Seconds before a fault in which a message was handled and its delete may not have reached the server; generous."""


class Producer:
    """Sends numbers, each once and for ever; `sqs` must not repeat calls by itself (`retries: total_max_attempts: 1`).

    A number whose call failed may or may not be in the queue: it is written as unsure and never sent again.
    """

    def __init__(self, sqs: Any, url: str, book: Path, *, first: int = 1) -> None:
        self._sqs, self._url, self._book = sqs, url, book
        self._next = first
        self._enough = asyncio.Event()

    async def send(self, count: int) -> None:
        """*count* numbers, ten to a call."""
        for start in range(0, count, 10):
            await self._ten(min(10, count - start))

    async def keep(self, waiting: int, at_least: int) -> None:
        """Keep about *waiting* messages in the queue until `enough`, and no less than *at_least* in all."""
        while not self._enough.is_set() or self._next <= at_least:
            try:
                visible, in_flight, _ = await counts(self._sqs, self._url)
            except (BotoCoreError, ClientError):
                await asyncio.sleep(0.1)
                continue
            if visible + in_flight < waiting:
                await self.send(min(waiting - visible - in_flight, 100))
            else:
                await asyncio.sleep(0.05)

    def enough(self) -> None:
        self._enough.set()

    async def _ten(self, count: int) -> None:
        numbers = range(self._next, self._next + count)
        self._next += count
        entries = [{"Id": str(number), "MessageBody": str(number)} for number in numbers]
        try:
            answer = await self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            accepted = {int(entry["Id"]) for entry in answer.get("Successful", [])}
            refused = {int(entry["Id"]) for entry in answer.get("Failed", [])}
        except (BotoCoreError, ClientError):
            accepted, refused = set(), set()
        words = {number: "accepted" if number in accepted else "unsure" for number in numbers if number not in refused}
        with self._book.open("a") as book:
            book.write("".join(f"{number} {word}\n" for number, word in words.items()))


@dataclass(slots=True)
class Delivery:
    """One number handed to the handler once. `end` is done, failed, or "" when the book knows of none."""

    number: int
    message_id: str
    count: int
    pid: int
    call: str
    begun: float
    end: str = ""
    ended: float = math.inf


class Cause(Protocol):
    """Something that was done to the service on purpose, or that it reported."""

    @property
    def name(self) -> str: ...

    def explains(self, before: Delivery, after: Delivery) -> bool:
        """That *after* came although *before* had been."""
        ...


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL: what was at the handler then, or was handled so shortly before that its delete was still on its way."""

    pid: int
    at: float
    name: str = "kill"

    def explains(self, before: Delivery, after: Delivery) -> bool:
        in_flight = before.begun <= self.at and self.at - before.ended < UNCONFIRMED
        return before.pid == self.pid and in_flight and after.begun > self.at


@dataclass(frozen=True, slots=True)
class Outage:
    """The server could not be reached: what was in hand then could be neither renewed nor deleted.

    Answers that were on their way come in when it ends, some of them too late.
    """

    begin: float
    end: float
    name: str = "outage"

    def explains(self, before: Delivery, after: Delivery) -> bool:
        in_hand = before.begun < self.end + UNCONFIRMED and before.ended > self.begin - UNCONFIRMED
        return in_hand and after.begun > self.begin


@dataclass(frozen=True, slots=True)
class Stopped:
    """SIGSTOP of one process: what had begun in it before could not be renewed."""

    pid: int
    begin: float
    name: str = "begun before the stop"

    def explains(self, before: Delivery, after: Delivery) -> bool:
        begun_before = any(
            one.pid == self.pid and one.begun < self.begin < one.ended + UNCONFIRMED for one in (before, after)
        )
        return begun_before and max(before.begun, after.begun) >= self.begin - UNCONFIRMED


@dataclass(frozen=True, slots=True)
class Reported:
    """The service's log names the message: a delete that was refused or given up, a renewal that failed."""

    ids: frozenset[str]
    name: str

    def explains(self, before: Delivery, after: Delivery) -> bool:
        return before.message_id in self.ids


@dataclass(slots=True)
class Findings:
    """What the books say."""

    lost: set[int]
    strangers: set[int]
    unexplained: list[tuple[Delivery, Delivery]]
    causes: Counter[str]
    by_cause: dict[Cause, int] = field(default_factory=dict)
    done: int = 0
    accepted: int = 0

    def __str__(self) -> str:
        return (
            f"{self.accepted} accepted, {self.done} handled, lost {sorted(self.lost)[:10]}, unexplained "
            f"{len(self.unexplained)}, repeated {dict(self.causes)}"
        )


class Books:
    """The two files of one test."""

    def __init__(self, folder: Path) -> None:
        self.sent, self.handled = folder / "sent", folder / "handled"
        self.sent.touch()
        self.handled.touch()

    def accepted(self, word: str = "accepted") -> set[int]:
        return {int(line.split()[0]) for line in self.sent.read_text().splitlines() if line.endswith(word)}

    def done_so_far(self) -> int:
        """How many lines say done; cheap enough to be asked often."""
        return self.handled.read_bytes().count(b'"done"')

    def deliveries(self) -> list[Delivery]:
        """Every delivery, by the time of its begin."""
        found: dict[tuple[str, int], Delivery] = {}
        for line in self.handled.read_text().splitlines():
            one = json.loads(line)
            if one["phase"] == "begun":
                found[one["call"], one["n"]] = Delivery(
                    one["n"], one["id"], one["rc"], one["pid"], one["call"], one["at"]
                )
            else:
                delivery = found[one["call"], one["n"]]
                delivery.end, delivery.ended = one["phase"], one["at"]
        return sorted(found.values(), key=lambda delivery: delivery.begun)

    def by_number(self) -> dict[int, list[Delivery]]:
        grouped: dict[int, list[Delivery]] = defaultdict(list)
        for delivery in self.deliveries():
            grouped[delivery.number].append(delivery)
        return dict(grouped)

    def check(self, causes: Sequence[Cause] = (), dead: Collection[int] = ()) -> Findings:
        """Compare what was sent with what was handled and what lies among the dead letters.

        A delivery that the handler itself failed explains the next. Any other repeat needs one of *causes*.
        """
        accepted, numbers = self.accepted(), self.by_number()
        done = {number for number, all_of_it in numbers.items() if any(one.end == "done" for one in all_of_it)}
        found = Findings(
            lost=accepted - done - set(dead),
            strangers=(done | set(dead)) - accepted - self.accepted("unsure"),
            unexplained=[],
            causes=Counter(),
            by_cause=dict.fromkeys(causes, 0),
            done=len(done),
            accepted=len(accepted),
        )
        for all_of_it in numbers.values():
            for before, after in pairwise(all_of_it):
                if before.end == "failed":
                    found.causes["failed"] += 1
                    continue
                cause = next((cause for cause in causes if cause.explains(before, after)), None)
                if cause is None:
                    found.unexplained.append((before, after))
                else:
                    found.causes[cause.name] += 1
                    found.by_cause[cause] += 1
        return found

    def hold(self, causes: Sequence[Cause] = (), dead: Collection[int] = ()) -> Findings:
        """`check`, and no way round it: nothing lost, nothing made up, no repeat without a cause."""
        found = self.check(causes, dead)
        print(f"books: {found}")  # noqa: T201 - shown by pytest when the test fails, or with -s
        assert not found.lost, found
        assert not found.strangers, found
        assert not found.unexplained, f"{found}: {found.unexplained[:5]}"
        return found


def reported(lines: Iterable[dict[str, Any]]) -> list[Cause]:
    """What a service's log admits: deletes that were given up, renewals that could not be brought to the server.

    That the server refused one explains nothing: it refuses when the message is somebody else's already.
    """
    deletes, renewals = set(), set()
    for line in lines:
        if line.get("event") == "batch_call.given_up" and line["operation"] == "DeleteMessageBatch":
            deletes |= set(line["ids"])
        elif line.get("event") == "message.renewal_failed" and "ReceiptHandle" not in line["error"]:
            renewals |= set(line["ids"])
    return [Reported(frozenset(deletes), "delete given up"), Reported(frozenset(renewals), "renewal failed")]
