# ruff: noqa: INP001 - a handler's file, as a user writes it
"""Payments from a Kafka topic: notes the id of each in the file that PAYMENTS_BOOK names, up to one without an amount.

That one is reported as failed, by its partition and offset: what is behind it waits. Nothing in it needs headrace.
"""

import base64
import json
import os
from itertools import takewhile
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    booked, failed = [], []
    for partition, records in event["records"].items():
        good = list(takewhile(has_amount, records))
        booked += [payment(record)["id"] for record in good]
        failed += [{"partition": partition, "offset": record["offset"]} for record in records[len(good) :][:1]]
    with open(os.environ["PAYMENTS_BOOK"], "a", encoding="ascii") as book:  # noqa: PTH123 - one write, appended whole
        book.write("".join(f"{one}\n" for one in booked))
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}


def payment(record: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.b64decode(record["value"]))
    return content


def has_amount(record: dict[str, Any]) -> bool:
    return payment(record)["amount"] is not None
