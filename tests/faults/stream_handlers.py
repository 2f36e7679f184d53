"""Handlers of streams and topics as users write them, that keep a book of what they do.

It has one line for each record as it begins and as it ends. Each process has a file of its own, in the folder BOOKS,
named by its id: what a kill leaves of a line harms no other.
SECONDS is how long a batch takes; DEADLY the number of the record that kills its process.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from typing import Any

Event = dict[str, Any]
BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seen(event: Event) -> list[tuple[int, str, str]]:
    """Of each record: the number that it carries, its id, and of what its order is: its key, or its partition."""
    if "records" in event:
        ((name, records),) = event["records"].items()
        return [(_number(one["value"]), f"{name}:{one['offset']}", name) for one in records]
    if "kinesis" in event["Records"][0]:
        inner = [(one["eventID"], one["kinesis"]) for one in event["Records"]]
        return [(_number(one["data"]), name, one["partitionKey"]) for name, one in inner]
    inner = [(one["eventID"], one["dynamodb"]) for one in event["Records"]]
    return [(int(one["NewImage"]["n"]["N"]), name, one["Keys"]["id"]["S"]) for name, one in inner]


def _number(encoded: str) -> int:
    return int(base64.b64decode(encoded))


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
    lines = [json.dumps({**call, "n": number, "id": name, "group": group}) for number, name, group in seen(event)]
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
    half = float(os.environ.get("SECONDS", "0.05")) / 2
    time.sleep(half)
    if any(number == int(os.environ["DEADLY"]) for number, _, _ in seen(event)):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(half)
    note("done", event, context)
