"""A handler for the stream of a DynamoDB table: a stock below nothing is reported as failed."""

from books import note


def handler(event, context):
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage", {})
        if float(image.get("count", {}).get("N", 0)) < 0:
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        note("stock", [{"id": record["dynamodb"]["Keys"]["id"]["S"], "event": record["eventName"]}])
    return None
