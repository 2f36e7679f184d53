# ruff: noqa: INP001, T201 - a handler's file, as a user writes it
"""Changes of a DynamoDB table: prints what became of each item."""

from typing import Any


def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda's signature
    for record in event["Records"]:
        print(record["eventName"], record["dynamodb"]["Keys"])
