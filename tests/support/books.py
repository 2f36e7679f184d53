"""Who sent what, who handled what: books of a producer and of a handler that know nothing of headrace.

The producer writes each number that the queue has accepted, the handler each delivery as it begins and as it ends. The
checker (`headrace.testing.history`) reads these two files and the dead letters. Our own log may explain, never count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from headrace.testing import history
from headrace.testing.history import Attempt, Cause, Findings, Reported
from support.queues import counts


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

    def deliveries(self) -> list[Attempt]:
        """Every delivery, by the time of its begin; the last line may be half written."""
        lines = self.handled.read_text().splitlines(keepends=True)
        return history.attempts(line for line in lines if line.endswith("\n"))

    def by_number(self) -> dict[int, list[Attempt]]:
        return history.by_number(self.deliveries())

    def check(self, causes: Sequence[Cause] = (), dead: Collection[int] = ()) -> Findings:
        """Compare what was sent with what was handled and what lies among the dead letters."""
        return history.check(
            self.deliveries(), self.accepted(), unsure=self.accepted("unsure"), dead=dead, causes=causes
        )

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
