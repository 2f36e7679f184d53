"""Books of a FIFO queue: numbers in groups, and the order in which a group's were begun."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from headrace.testing.history import Attempt, Cause
from headrace.testing.order import Order, check_order
from support.books import Books, Producer
from support.service import Service, config, mapping, until

GROUPS = 40
"""Groups that a test has unless it says otherwise."""

STRICT = {"response_mode": "strict"}


class GroupProducer(Producer):
    """Sends rising numbers, each to a group by chance, and asks again until the queue has taken them.

    Deduplication makes that safe: a number is in the queue once, and those of a group stand there in order.
    """

    def __init__(self, sqs: Any, url: str, book: Path, groups: int = GROUPS, *, first: int = 1, seed: int = 7) -> None:
        super().__init__(sqs, url, book, first=first)
        self._chance = random.Random(seed)
        self._groups = [f"g{number}" for number in range(groups)]

    async def _ten(self, count: int) -> None:
        numbers = range(self._next, self._next + count)
        self._next += count
        groups = {number: self._chance.choice(self._groups) for number in numbers}
        entries = [
            {"Id": str(n), "MessageBody": str(n), "MessageGroupId": group, "MessageDeduplicationId": str(n)}
            for n, group in groups.items()
        ]
        while True:
            try:
                answer = await self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
                break
            except (BotoCoreError, ClientError):
                await asyncio.sleep(0.1)
        assert not answer.get("Failed"), answer
        with self._book.open("a") as book:
            book.write("".join(f"{number} {group} accepted\n" for number, group in groups.items()))


class GroupBooks(Books):
    """The two files of one test with groups."""

    def sent_by_group(self) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = defaultdict(list)
        for line in self.sent.read_text().splitlines():
            number, group, _ = line.split()
            groups[group].append(int(number))
        return dict(groups)

    def accepted_first(self) -> int:
        """The lowest number: it is handed out with the first receive."""
        return min(self.accepted())

    def in_order(
        self,
        causes: Sequence[Cause] = (),
        *,
        strict: bool,
        timeout: float = 30,
        dead: Collection[int] = (),
        history: Sequence[Attempt] | None = None,
    ) -> Order:
        """Nothing lost, nothing made up, no repeat without a cause, no group out of order.

        *history*: what to look at, where that is not all that the handlers noted.
        """
        looked_at = self.deliveries() if history is None else history
        sent = self.sent_by_group()
        order = check_order(looked_at, sent, strict=strict, timeout=timeout, dead=dead, causes=causes)
        print(f"books: {order}")  # noqa: T201 - shown by pytest when the test fails, or with -s
        assert order.holds, f"{order}: {order.disorder[:5]} {order.found.unexplained[:5]}"
        return order


def choosing(url: str, **settings: Any) -> dict[str, Any]:
    """A config whose handler lists messages at random (LISTED, RAISED), eight batches at once."""
    places = {"scaling_config": {"maximum_concurrency": 8}, "batch_size": 10}
    functions = {"choose": {"handler": "handlers.choose"}}
    return config({"m": mapping(url, function="choose", **{**places, **settings})}, functions=functions)


async def some_done(books: Books, service: Service, count: int = 1) -> None:
    """Until so many more are done."""
    before = books.done_so_far()
    await until(lambda: books.done_so_far() >= before + count, why=service.log_text)
