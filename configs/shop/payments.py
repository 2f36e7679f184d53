"""A handler for a Kafka topic: a payment without an amount fails."""

import base64
import json

from books import note


def handler(event, context):
    for records in event["records"].values():
        payments = [json.loads(base64.b64decode(record["value"])) for record in records]
        if any(payment.get("amount", 0) is None for payment in payments):
            raise ValueError("a payment without an amount")
        note("payments", [{"id": payment.get("id", payment.get("number"))} for payment in payments])
