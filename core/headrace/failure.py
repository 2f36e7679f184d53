"""The record of a failure: what a failure destination is sent. Pure, but for the JSON.

The frame and the order of its keys are those recorded on AWS for streams (lambda-semantics 6.1, 6.2). A payload is the
whole event: as JSON text where AWS sends it so (S3, 6.3), else as an object (a Kafka topic, 6.5). AWS has no failure
record for queues; ours has the frame, one record a message, and the message whole: it is deleted afterwards, so this is
all that is left of it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson

from headrace.destination import Message
from headrace.model import Event, Origin
from headrace.policy import EXHAUSTED, EXPIRED, UNREADABLE
from headrace.settling import Discarded, Outcome

VERSION = "1.0"

_CONDITIONS = {EXHAUSTED: "RetriesExhausted", EXPIRED: "EventAgeExceeded"}
"""Of an asynchronous invocation, where a mapping's records have other words."""

LONGEST = 1000
"""Characters of an error's text: handlers quote their input, and a record has a limit."""


def failure_record(
    gone: Discarded, origin: Origin, *, function_arn: str, full: bool, payload: str | Event | None = None
) -> dict[str, Any]:
    """The record of *gone*, with *payload* if there is one; *full* adds what the error was.

    `approximateInvokeCount` is the source's own count where it has one. `responseContext` is left out where the records
    expired, even if the function ran, and its `functionError` is null where the answer named the failures.
    """
    invoked = max([gone.attempts, *[record.attempt for record in gone.records]])
    return {
        "requestContext": {
            "requestId": gone.request_id,
            "functionArn": function_arn,
            "condition": gone.reason,
            "approximateInvokeCount": invoked,
        },
        **(_response(gone.outcome, gone.reason, full=full) if gone.outcome and gone.reason != EXPIRED else {}),
        "version": VERSION,
        "timestamp": iso(gone.at),
        origin.block: origin.info,
        **({} if payload is None else {"payload": payload}),
    }


def invocation_record(gone: Discarded, event: Event | None, *, function_arn: str, request_id: str) -> dict[str, Any]:
    """The record of an asynchronous invocation that was given up, as recorded on AWS (lambda-semantics 8).

    Unlike that of a mapping's records it has the event, and how the last call ended also where its age is why.
    """
    made = gone.records[0].attempt - (gone.outcome is None)  # the one that was not made does not count
    record = {
        "version": VERSION,
        "timestamp": iso(gone.at),
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{function_arn}:$LATEST",
            "condition": _CONDITIONS.get(gone.reason, gone.reason),
            "approximateInvokeCount": made,
        },
        "requestPayload": event,
    }
    if gone.outcome is not None and (failure := gone.outcome.answer.failure) is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
        record["responsePayload"] = failure.payload or {"errorMessage": failure.message, "errorType": failure.type}
    return record


def _response(outcome: Outcome, reason: str, *, full: bool) -> dict[str, Any]:
    """How the last call ended. The error itself is ours: AWS has it for asynchronous invocations only.

    Where no event could be made there was no call, and the error is all there is to say.
    """
    failure = outcome.answer.failure
    context = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" if failure else None}
    said: dict[str, Any] = {} if reason == UNREADABLE else {"responseContext": context}
    if (full or reason == UNREADABLE) and (why := failure or outcome.verdict.failure):
        said["responsePayload"] = {"errorType": why.type, "errorMessage": why.message[:LONGEST]}
    return said


def message(gone: Discarded, record: dict[str, Any], *, apart: bool, source_key: bytes | None = None) -> Message:
    """*record* on its way: one line of JSON.

    A queue's message (*apart*) has one id however often it is given up, so that a destination can tell a repeat.
    Records of a log may be given up in other company the next time, and several may share an id. What was sent for
    fewer must not pass for more: their id is the same only while they are sent again after one giving up.
    """
    first = gone.records[0]
    name = f"{first.id}-{gone.lane}"
    return Message(
        id=name if apart else f"{name}-{gone.request_id}-{first.number}-{len(gone.records)}",
        key=first.key,
        body=to_json(record),
        lane=gone.lane,
        at=gone.at,
        source_key=source_key,
    )


def to_json(value: dict[str, Any]) -> bytes:
    """As JSON in UTF-8, on one line."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half of a surrogate pair, which only escapes can write
        return json.dumps(value, separators=(",", ":")).encode()


def iso(seconds: float) -> str:
    """ISO 8601 with milliseconds, in UTC: `2025-11-25T16:40:01.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
