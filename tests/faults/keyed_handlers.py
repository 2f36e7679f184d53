"""A handler that notes each run of a key: as it begins, and as it ends, done or failed.

Each process has a file of its own in the folder BOOKS, named by its id. SECONDS is how long a record takes; of a
hundred records FAILS fail, and what follows one in its batch is not begun.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
from typing import Any

BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _record(one: dict[str, Any]) -> tuple[str, dict[str, int]]:
    """What a handler names it by, and its body: the key `k`, and the number of its sending `n`."""
    if "kinesis" in one:
        return one["kinesis"]["sequenceNumber"], json.loads(base64.b64decode(one["kinesis"]["data"]))
    return one["messageId"], json.loads(one["body"])


def note(phase: str, body: dict[str, int], context: Any) -> None:
    """`left` is what is left of the call's time, in milliseconds: it says when its hard stop is."""
    line = {
        "phase": phase,
        **body,
        "pid": os.getpid(),
        "call": context.aws_request_id,
        "left": context.get_remaining_time_in_millis(),
        "at": time.clock_gettime(BOOT),
    }
    book = os.open(f"{os.environ['BOOKS']}/{os.getpid()}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(book, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(book)


def work(event: dict[str, Any], context: Any) -> dict[str, Any]:
    records = [_record(one) for one in event["Records"]]
    for place, (_, body) in enumerate(records):
        note("begun", body, context)
        time.sleep(float(os.environ["SECONDS"]))
        if random.random() < float(os.environ["FAILS"]) / 100:
            note("failed", body, context)
            return {"batchItemFailures": [{"itemIdentifier": name} for name, _ in records[place:]]}
        note("done", body, context)
    return {"batchItemFailures": []}
