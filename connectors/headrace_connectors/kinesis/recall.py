"""Kinesis records brought back from the event that was made of them. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

from headrace.filters.view import write_payload
from headrace.late import Late
from headrace.letters import arn_in
from headrace.mailbox import Recall, Recalled
from headrace.model import Event, Record
from headrace.plugins import Opening
from headrace_connectors.kinesis import event as shape
from headrace_connectors.kinesis.options import KinesisOptions


def recalled(_: Opening, event: Event) -> Recalled:
    shown = event["Records"]
    arn, region = str(shown[0]["eventSourceARN"]), str(shown[0]["awsRegion"])

    def made(raw: dict[str, Any]) -> Record:
        (record,) = shape.records([raw], shard=raw[shape.SHARD], arn=arn, region=region)
        return record

    def rewritten(record: Record, data: Any) -> Record:
        text = write_payload(data).encode(errors="surrogatepass")
        return made({**record.raw, "Data": base64.b64encode(text).decode()})

    return Recalled(
        records=[made(_raw(one)) for one in shown],
        render=partial(shape.render, arn=arn, region=region),
        rewritten=rewritten,
    )


def _raw(shown: Mapping[str, Any]) -> dict[str, Any]:
    """As GetRecords answered it, with its shard."""
    inner = shown["kinesis"]
    return {
        "Data": inner["data"],
        "PartitionKey": inner["partitionKey"],
        "SequenceNumber": inner["sequenceNumber"],
        "ApproximateArrivalTimestamp": inner["approximateArrivalTimestamp"],
        shape.SHARD: str(shown["eventID"]).partition(":")[0],
    }


def owns(opening: Opening, event: Event | None, info: Mapping[str, Any]) -> bool:
    """By the stream's name; an event of enhanced fan-out has the consumer's ARN, in which the stream's stands too."""
    options: KinesisOptions = opening.options
    arn = str(arn_in(event) or info.get("streamArn", ""))
    _, found, resource = arn.partition(":stream/")
    return ":kinesis:" in arn and bool(found) and resource.partition("/")[0] == options.name


recall = Recall(
    records=recalled,
    owns=owns,
    put_back=Late("headrace_connectors.kinesis.putting:PutBackToStream"),
    reread=Late("headrace_connectors.kinesis.rereading:reread"),
)
