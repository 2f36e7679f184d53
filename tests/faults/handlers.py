"""Handlers as users write them, that keep a book: one line for each message when it begins and when it ends.

Nothing in them knows headrace. The environment says how they behave: BOOK (a file), SECONDS (that a batch takes),
POISON (every so-manieth number fails).
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from typing import Any

Event = dict[str, Any]


def note(phase: str, records: list[dict[str, Any]], context: Any) -> None:
    """One write to a file opened for appending: whole, whoever else writes, and kept whatever is killed next."""
    lines = [
        json.dumps(
            {
                "n": number(record),
                "id": record["messageId"],
                "rc": int(record["attributes"]["ApproximateReceiveCount"]),
                "pid": os.getpid(),
                "call": context.aws_request_id,
                "attempt": context.headrace.attempt,
                "at": time.time(),
                "phase": phase,
            }
        )
        for record in records
    ]
    if not lines:
        return
    book = os.open(os.environ["BOOK"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(book, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(book)


def number(record: dict[str, Any]) -> int:
    return int(record["body"])


def seconds() -> float:
    return float(os.environ.get("SECONDS", "0.05"))


def is_poison(record: dict[str, Any]) -> bool:
    every = int(os.environ.get("POISON", "0"))
    return bool(every) and number(record) % every == 0


def settle(event: Event, context: Any) -> dict[str, Any]:
    """Poison failed, the rest done."""
    bad = [record for record in event["Records"] if is_poison(record)]
    note("failed", bad, context)
    note("done", [record for record in event["Records"] if not is_poison(record)], context)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in bad]}


def work(event: Event, context: Any) -> dict[str, Any]:
    note("begun", event["Records"], context)
    time.sleep(seconds())
    return settle(event, context)


async def work_on_the_loop(event: Event, context: Any) -> dict[str, Any]:
    note("begun", event["Records"], context)
    await asyncio.sleep(seconds())
    return settle(event, context)


def explode(event: Event, context: Any) -> None:
    """The whole batch fails when one of it is poison."""
    note("begun", event["Records"], context)
    time.sleep(seconds())
    if any(is_poison(record) for record in event["Records"]):
        note("failed", event["Records"], context)
        raise ValueError("poison")
    note("done", event["Records"], context)


def hang(event: Event, context: Any) -> None:
    """Never returns."""
    note("begun", event["Records"], context)
    threading.Event().wait()
