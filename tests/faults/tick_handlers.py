"""A handler of schedules that keeps a book, a line as it begins and a line as it ends; nothing in it knows headrace."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from typing import Any

PERIOD = float(os.environ.get("PERIOD", "30"))


def work(event: dict[str, Any], context: Any) -> None:
    note("begun", event, context)
    time.sleep(float(os.environ.get("SECONDS", "0.02")))
    note("done", event, context)


def note(phase: str, event: dict[str, Any], context: Any) -> None:
    seconds = datetime.fromisoformat(event["at"]).timestamp()  # whole ones: that is all that the token shows
    line = {
        "n": int(event["schedule"]) * 100_000_000 + int(seconds // PERIOD),
        "id": context.aws_request_id,
        "rc": context.headrace.attempt,
        "pid": os.getpid(),
        "call": f"{context.aws_request_id}/{context.headrace.attempt}",
        "at": time.clock_gettime(time.CLOCK_BOOTTIME),
        "wall": time.time(),
        "planned": seconds + event["schedule"] % 10 / 10,
        "phase": phase,
    }
    book = os.open(os.environ["BOOK"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(book, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(book)
