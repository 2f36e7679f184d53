"""A DynamoDB stream record as a record, and as the event that Lambda makes of it. Pure.

The event is field for field what was recorded on AWS (lambda-semantics 3.3). A record's dict is already its event; of
botocore's full answers (bytes, times) it is made the same as of lean ones, which keep the JSON that DynamoDB sent.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from headrace.filters import View
from headrace.masking import MASK, Mask, Masking
from headrace.model import Event, Record

VERSION = "1.1"

_CHANGE = (
    "ApproximateCreationDateTime",
    "Keys",
    "NewImage",
    "OldImage",
    "SequenceNumber",
    "SizeBytes",
    "StreamViewType",
)
"""What a change has, in the recorded order; images as the view type and the event have them."""


def records(page: Sequence[dict[str, Any]], *, arn: str, region: str) -> list[Record]:
    """The records of one GetRecords answer, from a full answer or a lean one.

    `size` is the event's, as JSON, and the comma. `key` is the item's key, whatever the order of its attributes.
    """
    made = []
    for one in page:
        change = _change(one["dynamodb"])
        shown = {
            "eventID": one["eventID"],
            "eventName": one["eventName"],
            "eventVersion": VERSION,
            "eventSource": "aws:dynamodb",
            "awsRegion": one.get("awsRegion", region),
            "dynamodb": change,
            "eventSourceARN": arn,
        }
        if "userIdentity" in one:
            shown["userIdentity"] = _identity(one["userIdentity"])
        number = change["SequenceNumber"]
        key = orjson.dumps(change["Keys"], option=orjson.OPT_SORT_KEYS).decode()
        size = len(orjson.dumps(shown)) + 1
        made.append(Record(number, shown, change["ApproximateCreationDateTime"], size, key, number))
    return made


def _change(sent: dict[str, Any]) -> dict[str, Any]:
    stamp = sent["ApproximateCreationDateTime"]
    if isinstance(stamp, datetime):  # a full answer: botocore has made values of what was sent
        sent = {**sent, **{name: _plain(sent[name]) for name in ("Keys", "NewImage", "OldImage") if name in sent}}
        stamp = stamp.timestamp()
    change = {name: sent[name] for name in _CHANGE if name in sent}
    change["ApproximateCreationDateTime"] = int(stamp) if stamp == int(stamp) else stamp
    return change


def _plain(value: Any) -> Any:
    """Attribute values as JSON: base64 text where botocore has bytes."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return base64.b64encode(value).decode() if isinstance(value, (bytes, bytearray)) else value


def _identity(sent: dict[str, Any]) -> dict[str, str]:
    """Who deleted an item that outlived its time; capitals on the wire, none in the event. There is only this one."""
    return {
        "type": sent.get("Type", sent.get("type", "Service")),
        "principalId": sent.get("PrincipalId", sent.get("principalId", "dynamodb.amazonaws.com")),
    }


def render(records: Sequence[Record]) -> Event:
    """The event of *records*, fresh at every call."""
    # one round through JSON copies what is nested as no comprehension can, and all of it is JSON
    return {"Records": orjson.loads(orjson.dumps([record.raw for record in records]))}


TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "M", "L"})
"""Of attribute values, which stand round them."""


def masked(event: Event, mask: Mask) -> Event:
    """*event* without what *mask* hides; an attribute that is hidden is a text."""
    for shown in event["Records"]:
        mask.fields(shown, stand_in=_hidden, typed=TYPES)
    return event


def _hidden(value: Any) -> tuple[Any, Any]:
    is_typed = isinstance(value, dict) and len(value) == 1 and value.keys() <= TYPES
    return {"S": MASK} if is_typed else MASK, value


VIEW = View(
    record="DynamoDB stream record",
    payload="dynamodb",
    content=lambda record: record.raw["dynamodb"],
    fields=lambda _, record: record.raw.copy(),
    keys=frozenset(
        {"eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "eventSourceARN", "userIdentity"}
    ),
    plain=False,
    masking=Masking(
        mask=masked,
        fixed=frozenset({"eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "eventSourceARN"}),
        key="dynamodb.Keys",
    ),
)
"""A record as in the event, with the types of its values: `dynamodb` is JSON as it is (lambda-semantics 7.2)."""
