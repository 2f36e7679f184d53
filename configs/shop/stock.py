# ruff: noqa: INP001 - handlers live in plain files, as on Lambda
"""A DynamoDB stream's handler: a stock below nothing is reported as failed, and what follows it comes again."""

from typing import Any

from books import note


def handler(event: dict[str, Any], _context: object) -> dict[str, Any] | None:
    for record in event["Records"]:
        change = record["dynamodb"]
        count = change.get("NewImage", {}).get("count", {"N": "0"})
        if float(count["N"]) < 0:
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
        note("stock", [{"id": change["Keys"]["id"]["S"], "event": record["eventName"]}])
    return None
