# ruff: noqa: INP001 - a handler's file, as a user writes it
"""The demo's handler: records every order's number in the file that DEMO_HANDLED names, and reports those that fail.

Nothing in it knows headrace: it would run on AWS Lambda as it stands.
"""

import json
import os
from typing import Any


class OrderError(Exception):
    """An order that cannot be handled, now or ever."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    done, failed = [], []
    for record in event["Records"]:
        try:
            done.append(settle(json.loads(record["body"]), int(record["attributes"]["ApproximateReceiveCount"])))
        except OrderError:
            failed.append({"itemIdentifier": record["messageId"]})
    with open(os.environ["DEMO_HANDLED"], "a", encoding="ascii") as book:  # noqa: PTH123 - one write, appended whole
        book.write("".join(f"{order}\n" for order in done))
    return {"batchItemFailures": failed}


def settle(order: dict[str, Any], attempt: int) -> int:
    """The order's number. A poison order never succeeds, a flaky one not at its first attempt."""
    if order["kind"] == "poison" or (order["kind"] == "flaky" and attempt == 1):
        raise OrderError(order["order"])
    number: int = order["order"]
    return number
