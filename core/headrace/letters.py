"""What lies among the dead letters, read: which event a function is to be given again, and of whom it was. Pure.

A letter has one of five forms: the failure record of a mapping's records, with their event or only with where they
are; the record of an asynchronous invocation; a function's dead letter, which is the bare event; or a message that its
source itself has put aside, which is its own event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from headrace.destination import SUCCESS
from headrace.errors import HeadraceError
from headrace.jsonbytes import from_json
from headrace.model import Event

REQUEST_ID: Final = "RequestID"
ERROR_CODE: Final = "ErrorCode"
"""Attributes of a function's dead letter (lambda-semantics 8)."""

REDACTED: Final = "payloadRedacted"
"""Key of a record's `headrace` block: the paths of what `redact` hid in its payload."""
REDACTED_ATTRIBUTE: Final = "PayloadRedacted"
"""The same of a dead letter, which has no block: an attribute."""

_EXPIRED: Final = {"RecordAgeExceeded", "EventAgeExceeded"}
_CLASSES: Final = {
    "Sandbox.Timedout": "timeout",
    "BadAnswer": "bad_answer",
    "Runtime.MarshalError": "bad_answer",
    "Function.ResponseSizeTooLarge": "too_large",
    "Unreadable": "undecodable",
    "Unrenderable": "undecodable",
}
"""Classes of failure by `errorType`, where the letter does not say its class itself."""


class NoLetter(HeadraceError):  # noqa: N818 - what was found is none, and why
    """It cannot be replayed, and why; it stays where it is."""


class Form(StrEnum):
    """What a letter is."""

    RECORDS = "records"
    """Of a mapping, with the event of its records."""
    PLACE = "place"
    """Of a mapping, with no more than where its records are."""
    INVOCATION = "invocation"
    """An asynchronous invocation: the event of a function."""
    OWN = "message"
    """What a source has put aside itself, or a stretch of a log: its own event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a mailbox holds, before anybody read it.

    Attributes:
        id: its name in this place, the same whenever it is read.
        body: what was sent there.
        at: when it came there, in Unix seconds.
        attributes: what went beside the body.
        event: the event of it, where it may be a source's own message.
        lane: of the source, where it is known.
        unreadable: why it can be no letter; empty where it may be one.
    """

    id: str
    body: bytes
    at: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    event: Event | None = None
    lane: str = ""
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter. What it does not say is empty.

    Attributes:
        event: what a function was given; of the form PLACE there is none.
        service: that gave them up, by its name.
        mapping: whose records they are, by its name.
        function: the name of the function that had them.
        request_id: of the call that failed last, or of the invocation.
        cls: the class of the failure.
        error: what it was, for people.
        at: when it was given up, in Unix seconds.
        attempts: how often it was tried.
        block: the key under which it is said where the records are, and `info` what is said.
    """

    form: Form
    event: Any = None
    service: str = ""
    mapping: str = ""
    function: str = ""
    request_id: str = ""
    cls: str = ""
    error: str = ""
    at: float = 0.0
    attempts: int = 0
    lane: str = ""
    block: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)


def parse(posted: Posted) -> Letter:
    """What was posted, as a letter.

    Raises:
        NoLetter: it is none.
    """
    if posted.unreadable:
        raise NoLetter(posted.unreadable)
    _see_it_is_whole(posted.attributes.get(REDACTED_ATTRIBUTE))
    if REQUEST_ID in posted.attributes and ERROR_CODE in posted.attributes:
        return Letter(
            form=Form.INVOCATION,
            event=_json(posted.body),
            request_id=posted.attributes[REQUEST_ID],
            cls="handler_error",
            error=posted.attributes.get("ErrorMessage", ""),
            at=posted.at,
        )
    record = record_in(posted.body)
    if record is not None:
        return _of_record(record, posted)
    if posted.event is not None:
        return Letter(form=Form.OWN, event=posted.event, at=posted.at, lane=posted.lane)
    _json(posted.body)
    raise NoLetter("it is JSON, but no failure record, and nothing says which function it was for")


def _json(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError as error:
        raise NoLetter(f"it cannot be read as JSON: {error}") from None


def record_in(body: bytes) -> dict[str, Any] | None:
    """The failure record that a body is, or that SNS or EventBridge has put into an envelope of theirs."""
    try:
        found = from_json(body)
        if isinstance(found, dict) and found.get("Type") == "Notification" and "Message" in found:
            found = from_json(found["Message"])
        elif isinstance(found, dict) and "detail-type" in found:
            found = found.get("detail")
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, dict) and _is_record(found) else None


def _is_record(found: Mapping[str, Any]) -> bool:
    context = found.get("requestContext")
    return isinstance(context, dict) and "condition" in context and "version" in found


def _of_record(record: dict[str, Any], posted: Posted) -> Letter:
    context, ours = record["requestContext"], _mapping(record.get("headrace"))
    if context["condition"] == SUCCESS:
        raise NoLetter("it tells of a call that succeeded")
    _see_it_is_whole(ours.get(REDACTED))
    block = next((key for key in record if key.endswith("Info")), "")
    error = _mapping(record.get("responsePayload"))
    known: dict[str, Any] = {
        "service": str(ours.get("service", "")),
        "mapping": str(ours.get("mapping", "")),
        "function": function_in(str(context.get("functionArn", ""))),
        "request_id": str(context.get("requestId", "")),
        "cls": str(ours.get("class") or _class_of(str(context["condition"]), error)),
        "error": _error_text(error) or str(context["condition"]),
        "at": _seconds(record.get("timestamp"), posted.at),
        "attempts": _count(context.get("approximateInvokeCount")),
        "lane": str(ours.get("lane", "")),
        "block": block,
        "info": _mapping(record.get(block)),
    }
    if "requestPayload" in record:
        return Letter(form=Form.INVOCATION, event=record["requestPayload"], **known)
    payload = record.get("payload")
    if isinstance(payload, str):  # as S3 has it
        payload = _json(payload.encode(errors="surrogatepass"))
    if payload is None:
        return Letter(form=Form.PLACE, **known)
    if not isinstance(payload, dict):
        raise NoLetter("its payload is no event: not an object")
    return Letter(form=Form.RECORDS, event=payload, **known)


def _see_it_is_whole(hidden: Any) -> None:
    """A handler would be given *** for what was hidden."""
    if hidden:
        paths = ", ".join(map(str, hidden)) if isinstance(hidden, list) else str(hidden)
        raise NoLetter(f"redact has hidden {paths} in it, so it cannot be replayed whole")


def function_in(arn: str) -> str:
    """The name of the function in *arn*, without its version."""
    _, found, name = arn.partition(":function:")
    return name.partition(":")[0] if found else ""


def arn_in(event: Any) -> str:
    """Of what the records of *event* are, as they name it; empty where they do not."""
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if isinstance(records, list) and records else None
    return str(first.get("eventSourceARN", "")) if isinstance(first, dict) else ""


def _class_of(condition: str, error: Mapping[str, Any]) -> str:
    if condition in _EXPIRED:
        return "expired"
    if condition in _CLASSES:
        return _CLASSES[condition]
    return _CLASSES.get(str(error.get("errorType")), "handler_error")


def _error_text(error: Mapping[str, Any]) -> str:
    return ": ".join(str(error[key]) for key in ("errorType", "errorMessage") if error.get(key))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _seconds(text: Any, otherwise: float) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):  # none, or of no calendar
        return otherwise
