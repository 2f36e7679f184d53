"""Handlers of Kafka topics as users write them, that keep a book as those of streams do (stream_handlers.py).

SECONDS is how long a batch takes; DEADLY the number of the record that kills its process.
"""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any

Event = dict[str, Any]
BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def numbers(event: Event) -> list[int]:
    return [int(base64.b64decode(record["value"])) for records in event["records"].values() for record in records]


def note(phase: str, event: Event, context: Any) -> None:
    """One write. `left` is what is left of the call's time, in milliseconds: it says when the call was made."""
    call = {
        "phase": phase,
        "lane": context.headrace.lane,
        "epoch": context.headrace.epoch,
        "rc": context.headrace.attempt,
        "pid": os.getpid(),
        "call": context.aws_request_id,
        "left": context.get_remaining_time_in_millis(),
        "at": time.clock_gettime(BOOT),
    }
    ((name, records),) = event["records"].items()
    lines = [
        json.dumps({**call, "n": number, "id": f"{name}:{record['offset']}", "group": name})
        for number, record in zip(numbers(event), records, strict=True)
    ]
    book = os.open(f"{os.environ['BOOKS']}/{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(book, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(book)


def work(event: Event, context: Any) -> None:
    note("begun", event, context)
    time.sleep(float(os.environ.get("SECONDS", "0.05")))
    note("done", event, context)


def deadly(event: Event, context: Any) -> None:
    """One record is the death of its process, whatever batch it is in."""
    note("begun", event, context)
    if int(os.environ["DEADLY"]) in numbers(event):
        os._exit(7)
    note("done", event, context)
