"""A handler for a FIFO queue: a refund that is not due yet fails, and what follows it for its customer waits."""

import json

from books import note


def handler(event, context):
    for record in event["Records"]:
        refund, attributes = json.loads(record["body"]), record["attributes"]
        if int(attributes["ApproximateReceiveCount"]) <= refund.get("fails", 0):
            raise RuntimeError(f"refund {refund['id']} is not due yet")
        note("refunds", [{"id": refund.get("id", refund.get("number")), "group": attributes["MessageGroupId"]}])
