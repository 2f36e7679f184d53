# ruff: noqa: INP001 - handlers live in plain files, as on Lambda
"""A queue's handler, as Lambda has it: an order that cannot be recorded is reported as failed."""

import json
from typing import Any

from books import name, note


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    handled, failed = [], []
    for record in event["Records"]:
        order = json.loads(record["body"])
        if order.get("poison"):
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            handled.append({"id": name(order), "arn": record["eventSourceARN"]})
    note("orders", handled)
    return {"batchItemFailures": failed}
