"""A Kinesis record as a record, and as the event that Lambda makes of it. Pure.

The event is field for field what was recorded on AWS (lambda-semantics 3.2).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from headrace.filters import View
from headrace.masking import Mask, Masking
from headrace.model import Event, Record
from headrace_connectors.kinesis.position import arrival

IDENTITY = "arn:aws:iam::000000000000:role/headrace"
"""`invokeIdentityArn`: on AWS the function's execution role, which nothing has here."""

SHARD = "ShardId"
"""The key under which a record's dict says of which shard it is; Kinesis's own does not."""

_LONGEST_TIME = 14


def records(page: Sequence[dict[str, Any]], *, shard: str, arn: str, region: str) -> list[Record]:
    """The records of one GetRecords answer. `Data` may be bytes (a full answer) or base64 text (a lean one).

    `size` is what the event holds of it, and some bytes.
    """
    if page and isinstance(page[0]["Data"], bytes):
        page = [{**one, "Data": base64.b64encode(one["Data"]).decode()} for one in page]
    for one in page:
        one[SHARD] = shard
    added = _added_bytes(shard, arn, region)
    return [
        Record(
            number := one["SequenceNumber"],
            one,
            arrival(one),
            len(one["Data"]) + len(orjson.dumps(key := one["PartitionKey"])) + 2 * len(number) + added,
            key,
            number,
        )
        for one in page
    ]


def _added_bytes(shard: str, arn: str, region: str) -> int:
    """What the event of a record takes beside its data, its key and its two sequence numbers."""
    bare = Record("", {"Data": "", SHARD: shard}, 0.0, 0, "", "")
    return len(orjson.dumps(render([bare], arn=arn, region=region)["Records"][0])) + _LONGEST_TIME


def render(records: Sequence[Record], *, arn: str, region: str) -> Event:
    """The event of *records*, fresh at every call."""
    # one comprehension of dict displays: a call, or a key put in afterwards, would double what a record costs
    shown = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.key,
                "sequenceNumber": (number := record.id),
                "data": (raw := record.raw)["Data"],
                "approximateArrivalTimestamp": record.at,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{raw[SHARD]}:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": IDENTITY,
            "awsRegion": region,
            "eventSourceARN": arn,
        }
        for record in records
    ]
    return {"Records": shown}


def masked(event: Event, mask: Mask) -> Event:
    """*event* without what *mask* hides."""
    for shown in event["Records"]:
        kinesis = shown["kinesis"]
        mask.fields(kinesis, but=("data",))
        kinesis["data"] = mask.base64("data", kinesis["data"])
    return event


_OF_RECORD = frozenset({"kinesisSchemaVersion", "partitionKey", "sequenceNumber", "approximateArrivalTimestamp"})
_OF_EVENT = frozenset(
    {"eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN"}
)

VIEW = View(
    record="Kinesis record",
    payload="data",
    content=lambda record: base64.b64decode(record.raw["Data"]),
    fields=lambda render, record: _fields(render([record])["Records"][0]),
    keys=_OF_RECORD | _OF_EVENT,
    plain=False,
    masking=Masking(
        mask=masked,
        fixed=_OF_EVENT | (_OF_RECORD - {"partitionKey"}),
        key="partitionKey",
    ),
)
"""What stands within `kinesis` stands at the top; the data decoded, and parsed where it is JSON."""


def _fields(shown: Event) -> dict[str, Any]:
    kinesis: dict[str, Any] = shown.pop("kinesis")
    return {**kinesis, **shown}
