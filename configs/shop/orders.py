"""A handler for a queue, as Lambda has it: an order whose total is no number is reported as failed."""

import json

from books import note


def handler(event, context):
    handled, failed = [], []
    for record in event["Records"]:
        order = json.loads(record["body"])
        if order.get("poison"):
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            count = int(record["attributes"]["ApproximateReceiveCount"])
            handled.append({"id": order.get("id", order.get("number")), "received": count, "arn": record["eventSourceARN"]})
    note("orders", handled)
    return {"batchItemFailures": failed}
