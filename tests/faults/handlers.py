"""Handlers as users write them, that keep a book: one line for each message when it begins and when it ends.

Nothing in them knows headrace. The environment says how they behave: BOOK (a file), SECONDS (that a batch takes),
POISON (every so-manieth number fails), LISTED and RAISED (per cent of the messages that are listed, and of the calls
that raise), HANGS (the number whose first delivery hangs, for HANGING seconds).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import threading
import time
from typing import Any

Event = dict[str, Any]
BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def note(phase: str, records: list[dict[str, Any]], context: Any) -> None:
    """One write to a file opened for appending: whole, whoever else writes, and kept whatever is killed next."""
    lines = [
        json.dumps(
            {
                "n": number(record),
                "group": record["attributes"].get("MessageGroupId", ""),
                "id": record["messageId"],
                "rc": int(record["attributes"]["ApproximateReceiveCount"]),
                "pid": os.getpid(),
                "call": context.aws_request_id,
                "attempt": context.headrace.attempt,
                "at": time.clock_gettime(BOOT),
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


def choose(event: Event, context: Any) -> dict[str, Any]:
    """Lists messages at random, and now and then raises: what follows in a group is done all the same."""
    note("begun", event["Records"], context)
    time.sleep(seconds())
    if chance("RAISED"):
        note("raised", event["Records"], context)
        raise ValueError("by chance")
    bad = [record for record in event["Records"] if chance("LISTED")]
    ids = {record["messageId"] for record in bad}
    note("listed", bad, context)
    note("done", [record for record in event["Records"] if record["messageId"] not in ids], context)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in ids]}


def chance(name: str) -> bool:
    return random.random() * 100 < float(os.environ.get(name, "0"))


def hang_once(event: Event, context: Any) -> None:
    """The first delivery of one number takes far longer than any time-out."""
    note("begun", event["Records"], context)
    stuck = os.environ["HANGS"]
    first = [one["body"] for one in event["Records"] if one["attributes"]["ApproximateReceiveCount"] == "1"]
    time.sleep(float(os.environ["HANGING"]) if stuck in first else seconds())
    note("done", event["Records"], context)


def hang(event: Event, context: Any) -> None:
    """Never returns."""
    note("begun", event["Records"], context)
    threading.Event().wait()


def hold_the_interpreter(event: Event, context: Any) -> None:
    """In C code for ever, which lets no other thread run."""
    note("begun", event["Records"], context)
    re.match(r"(a+)+$", "a" * 60 + "b")
