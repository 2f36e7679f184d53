"""Letters as destinations hold them, for tests of replay."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

QUEUE = "arn:aws:sqs:eu-central-1:000000000000:orders"
STREAM = "arn:aws:kinesis:eu-central-1:000000000000:stream/clicks"
AT = "2025-11-25T16:40:01.123Z"


def message(name: str, body: object, *, arn: str = QUEUE, **more: Any) -> dict[str, Any]:
    """An SQS message as in an event."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "messageId": name,
        "receiptHandle": f"receipt-{name}",
        "body": text,
        "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1764088000000"},
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
        **more,
    }


def click(number: int, data: object, *, arn: str = STREAM) -> dict[str, Any]:
    """A Kinesis record as in an event."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": f"key-{number}",
            "sequenceNumber": f"{49 * 10**54 + number}",
            "data": base64.b64encode(json.dumps(data).encode()).decode(),
            "approximateArrivalTimestamp": 1764088000.123,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{49 * 10**54 + number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/headrace",
        "awsRegion": arn.split(":")[3],
        "eventSourceARN": arn,
    }


def failure(*shown: dict[str, Any], text: bool = False, cls: str = "", **more: Any) -> dict[str, Any]:
    """A failure record of these; *cls*: with our own block."""
    event = {"Records": list(shown)}
    return {
        "requestContext": {
            "requestId": "c9b8",
            "functionArn": "arn:aws:lambda:eu-central-1:000000000000:function:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "boom"},
        "version": "1.0",
        "timestamp": AT,
        "SQSMessageInfo": {"messageId": "m", "queueArn": QUEUE},
        "payload": json.dumps(event) if text else event,
        **({"headrace": {"service": "shop", "mapping": "orders", "class": cls, "lane": "orders"}} if cls else {}),
        **more,
    }


def invocation(event: object, name: str = "req-1", function: str = "f") -> dict[str, Any]:
    """The record of an asynchronous invocation."""
    return {
        "version": "1.0",
        "timestamp": AT,
        "requestContext": {
            "requestId": name,
            "functionArn": f"arn:aws:lambda:eu-central-1:000000000000:function:{function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no", "errorType": "Exception"},
    }
