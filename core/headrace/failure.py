"""The record of a failure: what a failure destination is sent. Pure, but for the JSON.

The frame and the order of its keys are those recorded on AWS for streams (lambda-semantics 6.1, 6.2), and the payload
is the whole event as an object, as AWS sends it to a Kafka topic (6.5). AWS has no failure record for queues; ours has
the frame, one record a message, and the message whole: it is deleted afterwards, so this is all that is left of it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.destination import Message
from headrace.model import Origin
from headrace.settling import Discarded, Outcome

VERSION = "1.0"

LONGEST = 1000
"""Characters of an error's text: handlers quote their input, and a record has a limit."""


def failure_record(
    gone: Discarded, origin: Origin, *, function_arn: str, request_id: str, now: float
) -> dict[str, Any]:
    """The record of *gone*, at Unix time *now*.

    `approximateInvokeCount` is the source's own count where it has one. `responseContext` is left out where the records
    expired, and its `functionError` is null where the answer named the failures.
    """
    invoked = max([gone.attempts, *[record.attempt for record in gone.records]])
    return {
        "requestContext": {
            "requestId": gone.outcome.answer.request_id if gone.outcome else request_id,
            "functionArn": function_arn,
            "condition": gone.reason,
            "approximateInvokeCount": invoked,
        },
        **(_response(gone.outcome) if gone.outcome else {}),
        "version": VERSION,
        "timestamp": iso(now),
        origin.block: origin.info,
        **({} if origin.payload is None else {"payload": origin.payload}),
    }


def _response(outcome: Outcome) -> dict[str, Any]:
    """How the last call ended. The error itself is ours: AWS has it for asynchronous invocations only."""
    failure = outcome.answer.failure
    context = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" if failure else None}
    said: dict[str, Any] = {"responseContext": context}
    if why := failure or outcome.verdict.failure:
        said["responsePayload"] = {"errorType": why.type, "errorMessage": why.message[:LONGEST]}
    return said


def message(gone: Discarded, record: dict[str, Any]) -> Message:
    """*record* on its way: one line of JSON, under an id that stays the same however often it is sent."""
    first = gone.records[0]
    return Message(id=f"{first.id}-{gone.lane}", key=first.key, body=_json(record))


def _json(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:  # half of a surrogate pair, which only escapes can write
        return json.dumps(record, separators=(",", ":")).encode()


def iso(seconds: float) -> str:
    """ISO 8601 with milliseconds, in UTC: `2025-11-25T16:40:01.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
