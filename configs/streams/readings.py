# ruff: noqa: INP001 - a handler's file, as a user writes it
"""Meter readings from Kinesis: notes each in the file that READINGS_BOOK names, and reports the first that is bad.

Nothing in it needs headrace: it would run on AWS Lambda as it stands, where there is no lease and so no epoch to note.
A batch is noted with one write as its call begins and one as it ends, in the form of `headrace.testing.history`.
"""

import base64
import json
import os
import time
from typing import Any

Records = list[dict[str, Any]]
WORK = 0.02
"""Seconds that a batch takes."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    records = event["Records"]
    write(lines("begun", records, context))
    time.sleep(WORK)
    good = next((index for index, record in enumerate(records) if is_bad(record)), len(records))
    write(lines("done", records[:good], context) + lines("failed", records[good:], context))
    return {"batchItemFailures": [{"itemIdentifier": one["kinesis"]["sequenceNumber"]} for one in records[good:][:1]]}


def reading(record: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.b64decode(record["kinesis"]["data"]))
    return content


def is_bad(record: dict[str, Any]) -> bool:
    return reading(record)["value"] is None


def lines(phase: str, records: Records, context: Any) -> str:
    delivery = getattr(context, "headrace", None)
    return "".join(
        json.dumps(
            {
                "phase": phase,
                "n": reading(record)["n"],
                "group": record["kinesis"]["partitionKey"],
                "lane": record["eventID"].partition(":")[0],
                "epoch": delivery.epoch if delivery else 0,
                "id": record["kinesis"]["sequenceNumber"],
                "rc": delivery.attempt if delivery else 1,
                "pid": os.getpid(),
                "call": context.aws_request_id,
                "at": time.time(),
            }
        )
        + "\n"
        for record in records
    )


def write(text: str) -> None:
    """One write to a file that is opened for appending."""
    book = os.open(os.environ["READINGS_BOOK"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(book, text.encode())
    finally:
        os.close(book)
