"""Kafka messages brought back from the event that was made of them, and shown as their mapping shows them. Pure."""

from __future__ import annotations

import base64
import re
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headrace.filters.view import write_payload
from headrace.late import Late
from headrace.letters import arn_in
from headrace.mailbox import Recall, Recalled
from headrace.model import Event, Record, Unreadable
from headrace.plugins import Opening
from headrace_connectors.aws import AwsSettings
from headrace_connectors.dynamodb.recall import recall as of_dynamodb
from headrace_connectors.kafka.message import Message, PlainMessage
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.origin import message_of
from headrace_connectors.kafka.present.shape import Shape
from headrace_connectors.kafka.presenting import shape_of
from headrace_connectors.kinesis.recall import recall as of_kinesis
from headrace_connectors.sqs.recall import recalled_messages

_TYPES: Final = {"CREATE_TIME": 0, "LOG_APPEND_TIME": 1}


def recalled(opening: Opening, event: Event) -> Recalled:
    """Of Kafka's own event, or of one in the shape that the mapping gives its messages."""
    if "records" not in event:
        return _of_shape(opening, event)
    shape = shape_for(opening)
    (shown,) = event["records"].values()  # of one partition
    messages = [_message(one) for one in shown]
    return Recalled(
        records=readable(shape, messages),
        render=shape.render,
        rewritten=lambda record, value: _rewritten(shape, record, value),
        identify=shape.identify,
    )


def _of_shape(opening: Opening, event: Event) -> Recalled:
    options: KafkaOptions = opening.options
    if options.present_as == "sqs":
        return recalled_messages(event, windowed=bool(opening.settings.maximum_batching_window_in_seconds))
    of = {"kinesis": of_kinesis, "dynamodb": of_dynamodb}[options.present_as]
    return of.records(opening, event)


def readable(shape: Shape, messages: Sequence[Message]) -> Sequence[Record]:
    """*messages* as records of *shape*.

    Raises:
        ValueError: it cannot show one of them.
    """
    records = shape.records(messages, received=0.0)
    for record in records:
        if isinstance(record, Unreadable):
            raise ValueError(record.why)  # noqa: TRY004 - of its content, not its type
    return records


def shape_for(opening: Opening) -> Shape:
    """That in which the mapping shows its messages."""
    options: KafkaOptions = opening.options
    aws = opening.sections.get("aws")
    return shape_of(
        options.present_as,
        options.event_source_arn,
        topic=options.topics[0],
        bootstrap_servers=",".join(options.connection(opening).servers),
        region=aws.region if isinstance(aws, AwsSettings) else None,
        windowed=bool(opening.settings.maximum_batching_window_in_seconds),
    )


def _rewritten(shape: Shape, record: Record, value: Any) -> Record:
    if not isinstance(value, str) and shape.view.payload == "dynamodb":
        raise ValueError("a message that is shown as a change of a table cannot be edited")
    text = write_payload(value)
    before = message_of(record)
    message = PlainMessage(
        before.topic,
        before.partition,
        before.offset,
        before.timestamp,
        before.timestamp_type,
        before.key,
        text.encode(errors="surrogatepass"),
        before.headers,
    )
    (made,) = readable(shape, [message])
    return made


def _message(shown: Mapping[str, Any]) -> PlainMessage:
    return PlainMessage(
        topic=shown["topic"],
        partition=shown["partition"],
        offset=shown["offset"],
        timestamp=shown.get("timestamp"),
        timestamp_type=_TYPES.get(shown.get("timestampType", "")),
        key=_bytes(shown.get("key")),
        value=_bytes(shown.get("value")),
        headers=[
            (name, array("b", value).tobytes()) for header in shown.get("headers", ()) for name, value in header.items()
        ],
    )


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def owns(opening: Opening, event: Event | None, info: Mapping[str, Any]) -> bool:
    """By the topic; by the ARN where its records are shown as another source's."""
    options: KafkaOptions = opening.options
    if arn := arn_in(event):
        return arn == options.event_source_arn or re.split("[:/]", arn)[-1] == options.topics[0]
    names = list((event or {}).get("records") or info.get("recordsInfo") or ())
    return bool(names) and all(name.rpartition("-")[0] in options.topics for name in names)


recall = Recall(
    records=recalled,
    owns=owns,
    put_back=Late("headrace_connectors.kafka.putting:PutBackToTopic"),
    reread=Late("headrace_connectors.kafka.rereading:TopicRereader"),
)
