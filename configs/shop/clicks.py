"""A handler for a Kinesis stream: a click without a page fails its batch, which is split until it is alone."""

import base64
import json

from books import note


def handler(event, context):
    clicks = [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]
    for click in clicks:
        if click.get("page", "") is None:
            raise ValueError("a click without a page")
    note("clicks", [{"id": click.get("id", click.get("number")), "arn": event["Records"][0]["eventSourceARN"]} for click in clicks])
