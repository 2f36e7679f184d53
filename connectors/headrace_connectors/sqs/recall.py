"""SQS messages brought back from the event that was made of them. Pure."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from headrace.filters.view import write_payload
from headrace.late import Late
from headrace.letters import arn_in
from headrace.mailbox import Recall, Recalled
from headrace.model import Event, Record
from headrace.plugins import Opening
from headrace_connectors.sqs.event import records, render, render_unwrapped, unwrapped_records
from headrace_connectors.sqs.options import SqsOptions
from headrace_connectors.sqs.queue import name_of
from headrace_connectors.sqs.unwrap import ORIGINAL, Kind


def recalled(opening: Opening, event: Event) -> Recalled:
    options: SqsOptions = opening.options
    windowed = bool(opening.settings.maximum_batching_window_in_seconds)
    return recalled_messages(event, kinds=options.unwrap, windowed=windowed)


def recalled_messages(event: Event, *, windowed: bool, kinds: Collection[Kind] = ()) -> Recalled:
    """The messages of *event*, which shows them as they were before the envelopes of *kinds* were taken off."""
    shown = event["Records"]
    around: dict[str, Any] = {
        "arn": str(shown[0].get("eventSourceARN", "")),
        "region": str(shown[0].get("awsRegion", "")),
        "windowed": windowed,
    }
    to_records = partial(unwrapped_records, kinds=kinds) if kinds else records
    return Recalled(
        records=to_records([_message(one) for one in shown], None, math.inf),
        render=partial(render_unwrapped if kinds else render, **around),
        rewritten=_rewritten,
    )


def _rewritten(record: Record, body: Any) -> Record:
    if ORIGINAL in record.raw:
        raise ValueError("its body came in an envelope (unwrap), and cannot be put back into it")
    text = write_payload(body)
    digest = hashlib.md5(text.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
    (made,) = records([{**record.raw, "Body": text, "MD5OfBody": digest}], None, math.inf)
    return made


def _message(shown: Mapping[str, Any]) -> dict[str, Any]:
    """As ReceiveMessage answered it. A message attribute keeps what is binary as base64 text."""
    message: dict[str, Any] = {
        "MessageId": shown["messageId"],
        "ReceiptHandle": shown.get("receiptHandle", ""),
        "Body": shown["body"],
        "Attributes": dict(shown.get("attributes", {})),
        "MD5OfBody": shown.get("md5OfBody", ""),
    }
    if attributes := shown.get("messageAttributes"):
        message["MessageAttributes"] = {name: _attribute(one) for name, one in attributes.items()}
    if digest := shown.get("md5OfMessageAttributes"):
        message["MD5OfMessageAttributes"] = digest
    return message


def _attribute(shown: Mapping[str, Any]) -> dict[str, Any]:
    names = {"stringValue": "StringValue", "binaryValue": "BinaryValue", "dataType": "DataType"}
    return {name: shown[key] for key, name in names.items() if key in shown}


def owns(opening: Opening, event: Event | None, info: Mapping[str, Any]) -> bool:
    """By the queue's name, and its account where the URL ends in one: an emulator's may not."""
    arn = str(arn_in(event) or info.get("queueArn", ""))
    if ":sqs:" not in arn:
        return False
    account, name = arn.split(":")[-2:]
    options: SqsOptions = opening.options
    theirs = options.queue_url.rstrip("/").rpartition("/")[0].rpartition("/")[2]
    return name == name_of(options.queue_url) and (account == theirs or not theirs.isdigit())


recall = Recall(
    records=recalled,
    owns=owns,
    put_back=Late("headrace_connectors.sqs.putting:PutBackToQueue"),
    dead_letters=Late("headrace_connectors.sqs.redrive:dead_letters"),
)
