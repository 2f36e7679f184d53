"""What is sent to a mapping's topic, from lines of JSON: one record a line, or whole Lambda events. Pure.

| source | one record is |
|---|---|
| sqs | the body: any JSON; a JSON text is the body without its quotes |
| kinesis, kafka | the data or value: the same |
| dynamodb | the record of the stream: {"eventName": …, "dynamodb": {"Keys": …, "NewImage": …}} |
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from headrace_connectors.kafka.present.shapes import Presentation

FORM: Final = {
    "sqs": "the body of a message",
    "kinesis": "the data of a record",
    "kafka": "the value of a message",
    "dynamodb": 'a stream\'s record: {"eventName": "INSERT", "dynamodb": {"Keys": …, "NewImage": …}}',
}


ITEMS: Final = 10


class Feed(NamedTuple):
    """One message of a topic."""

    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class UnfitError(ValueError):
    """A line cannot be sent: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a message's key is, where its line is no Lambda event: always *text*, or the value of *field* in the line.

    It is a queue's message group, and a stream's partition key. A change of a table has the item's.
    """

    text: str | None = None
    field: str | None = None

    def of(self, value: Any) -> bytes | None:
        """That of *value*, which a line holds.

        Raises:
            UnfitError: the line has no such field.
        """
        if self.field is None:
            return None if self.text is None else self.text.encode()
        if not isinstance(value, dict) or self.field not in value:
            raise UnfitError(f"has no field {self.field!r} to take its key from")
        return as_bytes(value[self.field])


def feeds(line: str, shape: Presentation, keys: Keys) -> list[Feed]:
    """The messages that *line* means.

    Raises:
        UnfitError: it is no JSON, or nothing that can be sent to a mapping of this kind.
    """
    try:
        value = json.loads(line)
    except ValueError as error:
        raise UnfitError(f"is no JSON: {error}") from None
    try:
        if records := _of_event(value, shape):
            return [_of_record(record, shape) for record in records]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnfitError(f"is an event, but not one of {shape}: {error!r}") from None
    if shape == "dynamodb":
        return [_of_change(value)]
    return [Feed(as_bytes(value), keys.of(value))]


def as_bytes(value: Any) -> bytes:
    """A text as it is, anything else as JSON."""
    return (value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)).encode()


def _of_event(value: Any, shape: Presentation) -> list[Any]:
    """The records of a Lambda event; none where it is something else."""
    match value:
        case {"Records": [*records]} if shape != "kafka":
            return records
        case {"records": dict(topics)} if shape == "kafka":
            return [record for some in topics.values() for record in some]
    return []


def _of_record(record: Any, shape: Presentation) -> Feed:
    """One record of a Lambda event of *shape*."""
    match shape:
        case "sqs":
            group = record.get("attributes", {}).get("MessageGroupId")
            return Feed(record["body"].encode(), group and group.encode(), tuple(_attributes(record)))
        case "kinesis":
            inner = record["kinesis"]
            return Feed(b64decode(inner["data"], validate=True), inner["partitionKey"].encode())
        case "dynamodb":
            return _of_change(record)
    headers = [pair for one in record.get("headers", ()) for pair in one.items()]
    key = record.get("key")
    return Feed(
        b64decode(record["value"] or ""),
        None if key is None else b64decode(key),
        tuple((name, bytes(byte & 0xFF for byte in held)) for name, held in headers),
    )


def _attributes(record: Any) -> Iterator[tuple[str, bytes]]:
    for name, value in record.get("messageAttributes", {}).items():
        if "stringValue" in value:
            yield name, value["stringValue"].encode()
        elif "binaryValue" in value:
            yield name, b64decode(value["binaryValue"])


def _of_change(value: Any) -> Feed:
    match value:
        case {"dynamodb": {"Keys": keys}}:
            return Feed(as_bytes(value), json.dumps(keys, sort_keys=True, separators=(",", ":")).encode())
    raise UnfitError(f"is no change of a table: write {FORM['dynamodb']}")


def generated(number: int, shape: Presentation) -> Feed:
    """Event *number* of those that are made up, with one of `ITEMS` keys."""
    key = f"key-{number % ITEMS}"
    if shape == "dynamodb":
        keys = {"id": {"S": key}}
        name = "INSERT" if number < ITEMS else "MODIFY"
        return _of_change(
            {"eventName": name, "dynamodb": {"Keys": keys, "NewImage": {**keys, "number": {"N": str(number)}}}}
        )
    return Feed(as_bytes({"number": number, "key": key}), key.encode())
