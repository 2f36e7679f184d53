# ruff: noqa: INP001 - handlers live in plain files, as on Lambda
"""A Kafka topic's handler: a payment without an amount is reported as failed, by its partition and offset."""

import base64
import json
from typing import Any

from books import name, note


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | None:
    for partition, records in event["records"].items():
        for record in records:
            payment = json.loads(base64.b64decode(record["value"]))
            if payment.get("amount", 0) is None:
                return {"batchItemFailures": [{"itemIdentifier": {"partition": partition, "offset": record["offset"]}}]}
            note("payments", [{"id": name(payment)}])
    return None
