"""A message that is to come again: how it lies in a retry topic, and how it is read back. Pure.

It lies there as JSON: the message as Lambda's event has it, the number of its next delivery and when that is due.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from headrace.jsonbytes import to_json
from headrace.model import Record
from headrace_connectors.kafka import event
from headrace_connectors.kafka.message import Message, PlainMessage

_TIMES = {"CREATE_TIME": 0, "LOG_APPEND_TIME": 1}


class Again(NamedTuple):
    """A message, how often it is delivered with the next time, and not before when (Unix seconds)."""

    message: Message
    attempt: int
    due: float


def body_of(again: Again) -> bytes:
    """As it is written to a retry topic."""
    (shown,) = event.render(event.records([again.message], received=0.0), bootstrap_servers="")["records"].values()
    return to_json({"attempt": again.attempt, "due": round(again.due, 3), "record": shown[0]})


def read(found: Message) -> Again:
    """What *found* says. One that is nothing of ours is a message of its own, due at once."""
    try:
        match orjson.loads(found.value or b""):
            case {"attempt": int(attempt), "due": float() | int() as due, "record": dict(record)}:
                return Again(_message(record), attempt, float(due))
    except (ValueError, KeyError, TypeError):
        pass
    return Again(found, 1, 0.0)


def _message(record: dict[str, Any]) -> Message:
    return PlainMessage(
        topic=record["topic"],
        partition=record["partition"],
        offset=record["offset"],
        timestamp=record["timestamp"],
        timestamp_type=_TIMES.get(record["timestampType"]),
        key=None if record.get("key") is None else b64decode(record["key"]),
        value=None if record["value"] is None else b64decode(record["value"]),
        headers=_headers(record["headers"]),
    )


def _headers(shown: Sequence[dict[str, list[int]]]) -> list[tuple[str, bytes | None]]:
    return [(name, bytes(byte & 0xFF for byte in value)) for header in shown for name, value in header.items()]


def counted(record: Record, attempt: int) -> None:
    """Have *record*, which is shown as a queue's, say that it is delivered for the *attempt*-th time."""
    record.attempt = attempt
    if isinstance(record.raw, dict) and "Attributes" in record.raw:
        record.raw["Attributes"]["ApproximateReceiveCount"] = str(attempt)
