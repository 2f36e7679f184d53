# ruff: noqa: INP001 - handlers live in plain files, as on Lambda
"""A FIFO queue's handler: a refund that is not due yet fails, and what follows it for its customer waits."""

import json
from typing import Any

from books import name, note


def handler(event: dict[str, Any], _context: object) -> None:
    refunds = [(json.loads(record["body"]), record["attributes"]) for record in event["Records"]]
    for refund, attributes in refunds:
        if int(attributes["ApproximateReceiveCount"]) <= refund.get("fails", 0):
            raise RuntimeError(f"refund {name(refund)} is not due yet")
    note("refunds", [{"id": name(refund), "group": attributes["MessageGroupId"]} for refund, attributes in refunds])
