"""Handlers of asynchronous invocations that keep a book; nothing in them knows headrace.

The event says how its attempts end: `ends` is a list of words, one for each attempt, the last for all that follow.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any
from uuid import uuid4

HANGING = 2.5
"""Seconds; beyond the time-out of the functions."""


def work(event: dict[str, Any], context: Any) -> dict[str, int]:
    call = uuid4().hex
    note("begun", event["n"], call, context)
    time.sleep(0.02)
    end = event["ends"][min(context.headrace.attempt, len(event["ends"])) - 1]
    if end == "died":
        os.kill(os.getpid(), signal.SIGKILL)
    note(end, event["n"], call, context)
    if end == "hung":
        time.sleep(HANGING)
    if end != "done":
        raise ValueError(end)
    return {"n": event["n"]}


def follow(event: dict[str, Any], context: Any) -> None:
    """Is told of what `work` succeeded in."""
    number, call = -event["requestPayload"]["n"], uuid4().hex
    note("begun", number, call, context)
    time.sleep(0.02)
    note("done", number, call, context)


def note(phase: str, number: int, call: str, context: Any) -> None:
    """Of one call, for every attempt has the same request id. One write: whole, and kept whatever is killed next."""
    line = {
        "n": number,
        "id": context.aws_request_id,
        "rc": context.headrace.attempt,
        "pid": os.getpid(),
        "call": call,
        "at": time.clock_gettime(time.CLOCK_BOOTTIME),
        "phase": phase,
    }
    book = os.open(os.environ["BOOK"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(book, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(book)
