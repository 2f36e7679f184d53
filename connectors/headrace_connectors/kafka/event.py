"""Kafka messages as records, and as the event that Lambda makes of them. Pure.

The event is that of a self-managed Kafka, as AWS documents it (lambda-semantics 3.4).
"""

from __future__ import annotations

import math
from array import array
from binascii import b2a_base64
from collections.abc import Sequence
from typing import Any, Final

import orjson

from headrace.filters import Mismatch, View
from headrace.masking import MASK, Mask, Masking
from headrace.model import Event, Record
from headrace_connectors.kafka.message import Message

SOURCE: Final = "SelfManagedKafka"

_TYPES: Final[dict[int | None, str]] = {
    0: "CREATE_TIME",
    1: "LOG_APPEND_TIME",
    -1: "NO_TIMESTAMP_TYPE",
    None: "NO_TIMESTAMP_TYPE",
}
"""Kafka's own names for the kinds of timestamps."""

BARE_BYTES: Final = 8 + len(
    orjson.dumps(
        {
            "topic": "",
            "partition": 2**31 - 1,
            "offset": 2**63 - 1,
            "timestamp": -(2**63),
            "timestampType": _TYPES[None],
            "key": "",
            "value": "",
            "headers": [],
        }
    )
)
"""The most that a message takes in the event beside its topic, key, value and headers; padding and a comma too."""


class KafkaRecord(Record):
    """One message. Its id and key are made when they are first asked for: that is where something failed."""

    __slots__ = ()

    def __init__(self, raw: Message, at: float, size: int, token: str) -> None:  # every message passes here
        self.raw = raw
        self.at = at
        self.size = size
        self.token = token
        self.attempt = 0
        self.until = math.inf
        self.number = 0

    def __getattr__(self, name: str) -> Any:
        """What has not been made yet."""
        match name:
            case "id":
                self.id = f"{name_of(self.raw)}:{self.token}"
                return self.id
            case "key":
                self.key = key_text(self.raw.key)
                return self.key
        raise AttributeError(name)


LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999: no calendar has a later one, and producers set what they like."""

_LAST_MS: Final = LAST_SECOND * 1000


def name_of(message: Message) -> str:
    """The name of its partition, as events and answers have it: `orders-0`."""
    return f"{message.topic}-{message.partition}"


def key_text(key: bytes | None) -> str | None:
    """A text for each key, and another for any other; what is ASCII reads as it is."""
    return None if key is None else key.decode("latin-1")


def records(messages: Sequence[Message], *, received: float) -> list[Record]:
    """The records of *messages*, which are of one partition; a position is an offset.

    *received*, in Unix seconds, is the arrival of those that have no timestamp, or none that a calendar has.
    """
    if not messages:
        return []
    bare = BARE_BYTES + len(messages[0].topic)
    return [
        KafkaRecord(
            message,
            time / 1000 if 0 < (time := message.timestamp or 0) <= _LAST_MS else received,
            bare
            + (len(message.key or b"") + len(message.value or b"")) * 4 // 3
            + (header_bytes(message) if message.headers else 0),
            str(message.offset),
        )
        for message in messages
    ]


def arrival(message: Message, received: float) -> float:
    """As `records` has it."""
    return time / 1000 if 0 < (time := message.timestamp or 0) <= _LAST_MS else received


def header_bytes(message: Message) -> int:
    """The most that its headers take in the event: names with every character escaped, four characters a byte."""
    return sum([8 + 6 * len(name) + 5 * len(value or b"") for name, value in message.headers])


def render(records: Sequence[Record], *, bootstrap_servers: str) -> Event:
    """The event of *records*, which are of one partition, fresh at every call; *bootstrap_servers* joined by commas.

    AWS leaves open how it shows what is null. A null key has no `key`, as in a sample of its guide; a null value is
    null, so that a tombstone is told from an empty text. A header's null value is an empty list: what the guide
    promises is a list.
    """
    # one comprehension of dict displays: a call, or a key put in afterwards, would double what a record costs
    shown = [
        {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "timestamp": message.timestamp,
            "timestampType": _TYPES[message.timestamp_type],
            "key": b2a_base64(message.key, newline=False).decode(),
            "value": None if message.value is None else b2a_base64(message.value, newline=False).decode(),
            "headers": _headers(message) if message.headers else [],
        }
        if message.key is not None
        else {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "timestamp": message.timestamp,
            "timestampType": _TYPES[message.timestamp_type],
            "value": None if message.value is None else b2a_base64(message.value, newline=False).decode(),
            "headers": _headers(message) if message.headers else [],
        }
        for message in [record.raw for record in records]
    ]
    return {
        "eventSource": SOURCE,
        "bootstrapServers": bootstrap_servers,
        "records": {name_of(records[0].raw): shown} if shown else {},
    }


def _headers(message: Message) -> list[dict[str, list[int]]]:
    """One object a header, its value as signed bytes."""
    return [{name: array("b", value or b"").tolist()} for name, value in message.headers]


def identify(identifier: object) -> str | None:
    """The record that an answer's `{"partition": "orders-0", "offset": 100}` means."""
    match identifier:
        case {"partition": str(name), "offset": int(offset), **more} if not more and type(offset) is int:
            return f"{name}:{offset}"
    return None


def masked(event: Event, mask: Mask) -> Event:
    """*event* without what *mask* hides: bytes stay base64, and lists of bytes in headers."""
    for several in event["records"].values():
        for shown in several:
            mask.fields(shown, only="headers", stand_in=_header_hidden)
            if "key" in shown:
                mask.fields(shown, only="key", stand_in=lambda key: (_HIDDEN, key))
            shown["value"] = mask.base64("value", shown["value"])
    return event


def _header_hidden(value: Any) -> tuple[Any, Any]:
    """A header's value, which is a list of its bytes; of a header, or of all, each value."""
    if isinstance(value, dict):
        hidden = {name: _header_hidden(one) for name, one in value.items()}
        return {name: one for name, (one, _) in hidden.items()}, [secret for _, secret in hidden.values()]
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        several = [_header_hidden(one) for one in value]
        return [one for one, _ in several], [secret for _, secret in several]
    if isinstance(value, list):
        return list(MASK.encode()), array("b", value).tobytes()
    return MASK, value


_HIDDEN: Final = b2a_base64(MASK.encode(), newline=False).decode()


VIEW = View(
    record="Kafka message",
    payload="value",
    content=lambda record: record.raw.value,
    fields=lambda render, record: next(iter(render([record])["records"].values()))[0],
    keys=frozenset({"topic", "partition", "offset", "timestamp", "timestampType", "key", "headers"}),
    mismatch=Mismatch.PASS,
    masking=Masking(
        mask=masked,
        fixed=frozenset({"topic", "partition", "offset", "timestamp", "timestampType"}),
        key="key",
    ),
)
"""A message as in the event, with its value decoded, and parsed where it is JSON.

What cannot be decoded, or is of another format than the pattern's, is looked at by its metadata alone (lambda-semantics
7.4).
"""
