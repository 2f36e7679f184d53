# ruff: noqa: INP001 - handlers live in plain files, as on Lambda
"""A Kinesis stream's handler: a click without a page fails its batch, which is split until that click is alone."""

import base64
import json
from typing import Any

from books import name, note


def handler(event: dict[str, Any], _context: object) -> None:
    clicks = [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]
    for click in clicks:
        if click.get("page", "/") is None:
            raise ValueError(f"click {name(click)} has no page")
    note("clicks", [{"id": name(click), "arn": event["Records"][0]["eventSourceARN"]} for click in clicks])
