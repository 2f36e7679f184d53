"""The records that destinations are sent: of a failure, and of an invocation. Pure, but for the JSON.

The frame and the order of its keys are those recorded on AWS for streams (lambda-semantics 6.1, 6.2). A payload is the
whole event: as JSON text where AWS sends it so (S3, 6.3), else as an object (a Kafka topic, 6.5). AWS has no failure
record for queues; ours has the frame, one record a message, and the message whole: it is deleted afterwards, so this is
all that is left of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headrace.model import Event, Origin
from headrace.outgoing import Outcome, Outgoing
from headrace.policy import EXHAUSTED, EXPIRED, UNREADABLE

VERSION = "1.0"

LATEST = "$LATEST"
"""The version of every function: there are no others."""

_CONDITIONS = {EXHAUSTED: "RetriesExhausted", EXPIRED: "EventAgeExceeded"}
"""Of an asynchronous invocation, where a mapping's records have other words."""

LONGEST = 1000
"""Characters of an error's text: handlers quote their input, and a record has a limit."""

MOST_BYTES = 1024
"""Of a dead letter's ErrorMessage in UTF-8: Lambda's first KB."""

STACK = 10
"""Frames of an error that go with it: the last ones, which are those of the fault."""


def failure_record(
    gone: Outgoing,
    origin: Origin,
    *,
    function_arn: str,
    full: bool,
    payload: str | Event | None = None,
    ours: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The record of *gone*, with *payload* and what is *ours* if there is any; *full* adds what the error was.

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
        **({} if ours is None else {"headrace": ours}),
    }


def invocation_record(
    gone: Outgoing, event: Event | str | None, *, function_arn: str, request_id: str
) -> dict[str, Any]:
    """The record of an invocation that succeeded, or of one that was given up, as recorded on AWS (lambda-semantics 8).

    Unlike that of a mapping's records it has the event, and how the last call ended also where its age is why.
    *function_arn* has its version.
    """
    first = gone.records[0]
    called = gone.outcome is not None and gone.outcome.answer.request_id
    made = max(first.attempt, gone.attempts) - (not called)  # the one that was not made does not count
    record = {
        "version": VERSION,
        "timestamp": iso(gone.at),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": _CONDITIONS.get(gone.reason, gone.reason),
            "approximateInvokeCount": made,
        },
        "requestPayload": event,
    }
    if gone.outcome is None:
        return record
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": LATEST}
    failure = gone.outcome.answer.failure
    if failure is not None:
        payload: object = failure.payload or {"errorMessage": failure.message, "errorType": failure.type}
        return {**record, "responseContext": {**context, "functionError": "Unhandled"}, "responsePayload": payload}
    return {**record, "responseContext": context, "responsePayload": gone.outcome.answer.value}


def dead_letter_attributes(gone: Outgoing, request_id: str) -> dict[str, str]:
    """What stands beside the bare event in a function's dead-letter queue (lambda-semantics 8)."""
    failure = gone.outcome.answer.failure if gone.outcome else None
    why = failure.message if failure else _CONDITIONS.get(gone.reason, gone.reason)
    return {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": _cut(why) or "Unhandled"}


def _cut(text: str) -> str:
    """As much of it as a message's attribute takes; half of a surrogate pair, which none takes, is shown as `?`."""
    return text.encode(errors="replace")[:MOST_BYTES].decode(errors="ignore")


def _response(outcome: Outcome, reason: str, *, full: bool) -> dict[str, Any]:
    """How the last call ended. The error itself is ours: AWS has it for asynchronous invocations only.

    Where no event could be made there was no call, and the error is all there is to say.
    """
    failure = outcome.answer.failure
    context = {"statusCode": 200, "executedVersion": LATEST, "functionError": "Unhandled" if failure else None}
    said: dict[str, Any] = {} if reason == UNREADABLE else {"responseContext": context}
    if (full or reason == UNREADABLE) and (why := failure or outcome.verdict.failure):
        stack = {"stackTrace": list(why.stack[-STACK:])} if why.stack else {}
        said["responsePayload"] = {"errorType": why.type, "errorMessage": why.message[:LONGEST], **stack}
    return said


def name_of(gone: Outgoing, *, apart: bool) -> str:
    """What names a message about *gone*, however often it is sent.

    A queue's record (*apart*) has one name however often it is given up, so that a destination can tell a repeat.
    Records of a log may be given up in other company the next time, and several may share an id. What was sent for
    fewer must not pass for more: their name is the same only while they are sent again after one giving up. So it is
    of what succeeded together.
    """
    first = gone.records[0]
    name = f"{first.id}-{gone.lane}"
    return name if apart else f"{name}-{gone.request_id}-{first.number + gone.shift}-{len(gone.records)}"


def iso(seconds: float) -> str:
    """ISO 8601 with milliseconds, in UTC: `2025-11-25T16:40:01.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
