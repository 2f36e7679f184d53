"""What a failure record says of Kafka messages, and how it looks in a topic. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from headrace.failure import iso
from headrace.jsonbytes import to_json
from headrace.model import Origin, Record
from headrace.policy import EXHAUSTED
from headrace_connectors.attributes import HOPS, counted
from headrace_connectors.kafka.event import KafkaRecord, name_of, render
from headrace_connectors.kafka.event import records as made
from headrace_connectors.kafka.message import Message

BLOCK: Final = "KafkaBatchInfo"

LATEST: Final = ":$LATEST"

EXHAUSTED_IN_TOPIC: Final = "RetriesExhausted"
"""AWS's sample has this word of asynchronous invocations; for an age it has none, so that stays as it is elsewhere."""


def origin(records: Sequence[Record], *, bootstrap_servers: str) -> Origin:
    """Of *records* together, which are of one partition and in its order (lambda-semantics 6.4).

    `payloadSize` is the bytes of their event as JSON. `eventSourceArn` is MSK's alone. Records of another shape, and
    what no shape can show, go with Kafka's event as their payload.
    """
    messages = [message_of(record) for record in records]
    event = render(made(messages, received=0.0), bootstrap_servers=bootstrap_servers)
    first, last = messages[0], messages[-1]
    info: dict[str, Any] = {
        "batchSize": len(records),
        "bootstrapServers": bootstrap_servers,
        "payloadSize": len(to_json(event)),
        "recordsInfo": {
            name_of(first): {
                "firstRecordOffset": str(first.offset),
                "lastRecordOffset": str(last.offset),
                "firstRecordTimestamp": _time(first),
                "lastRecordTimestamp": _time(last),
            }
        },
    }
    return Origin(
        block=BLOCK,
        info=info,
        payload=None if all(isinstance(record, KafkaRecord) for record in records) else event,
        key=first.key if len(records) == 1 else None,
    )


def message_of(record: Record) -> Message:
    """Whatever shape it was given: what is no Kafka record keeps its message as `of`."""
    message: Message = record.raw if isinstance(record, KafkaRecord) else record.of  # type: ignore[attr-defined]
    return message


def hops(records: Sequence[Record]) -> int:
    """How many functions their content has come through, by what our own destination wrote beside it."""
    headers = [header for record in records for header in message_of(record).headers]
    return max([counted(value) for name, value in headers if name == HOPS], default=0)


def places(servers: Sequence[str], topics: Sequence[str]) -> list[str]:
    """Where *topics* are, in words for all who read or write them."""
    return [f"kafka:{server}/{topic}" for server in servers for topic in topics]


def _time(message: Message) -> str | None:
    """ISO 8601; null where there is none, and the number where no calendar has it: producers set what they like."""
    if message.timestamp is None or message.timestamp < 0:
        return None
    with suppress(ValueError, OverflowError, OSError):
        return iso(message.timestamp / 1000)
    return str(message.timestamp)


def in_topic(record: dict[str, Any]) -> dict[str, Any]:
    """A failure record of one record, of any source, as a Kafka topic is sent it (lambda-semantics 6.5).

    The function's ARN has its version, the condition another word, and `recordInfo` stands for `recordsInfo`.
    """
    context = record["requestContext"]
    condition = EXHAUSTED_IN_TOPIC if context["condition"] == EXHAUSTED else context["condition"]
    arn = context["functionArn"].removesuffix(LATEST) + LATEST
    shown = {**record, "requestContext": {**context, "functionArn": arn, "condition": condition}}
    if BLOCK in record:
        shown[BLOCK] = _of_one(record[BLOCK])
    return shown


def _of_one(info: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in info.items() if name != "recordsInfo"}
    (place,) = info["recordsInfo"].values()
    return {**rest, "recordInfo": {"offset": place["firstRecordOffset"], "timestamp": place["firstRecordTimestamp"]}}
