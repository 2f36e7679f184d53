"""Records of a DynamoDB stream brought back from the event that was made of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace.late import Late
from headrace.letters import arn_in
from headrace.mailbox import Recall, Recalled
from headrace.model import Event, Record
from headrace.plugins import Opening
from headrace_connectors.dynamodb import event as shape
from headrace_connectors.dynamodb.arns import table_of
from headrace_connectors.dynamodb.options import DynamoDBOptions

NO_WAY_BACK: Final = (
    "a DynamoDB stream has only what was changed in its table, and nobody writes to it: replay to the handler"
)


def recalled(_: Opening, event: Event) -> Recalled:
    shown = event["Records"]
    arn, region = str(shown[0]["eventSourceARN"]), str(shown[0]["awsRegion"])

    def rewritten(record: Record, change: Any) -> Record:
        if not isinstance(change, dict):
            raise ValueError("dynamodb must stay an object")  # noqa: TRY004 - as of any payload that cannot be
        (made,) = shape.records([{**record.raw, "dynamodb": change}], arn=arn, region=region)
        return made

    return Recalled(
        records=shape.records(shown, arn=arn, region=region),
        render=shape.render,
        rewritten=rewritten,
    )


def owns(opening: Opening, event: Event | None, info: Mapping[str, Any]) -> bool:
    """By the stream's ARN, or by its table."""
    options: DynamoDBOptions = opening.options
    arn = str(arn_in(event) or info.get("streamArn", ""))
    if ":dynamodb:" not in arn:
        return False
    if options.stream_arn:
        return arn == options.stream_arn
    return arn.partition(":table/")[2].partition("/")[0] == table_of(options.table or "")


recall = Recall(
    records=recalled,
    owns=owns,
    no_way_back=NO_WAY_BACK,
    reread=Late("headrace_connectors.dynamodb.rereading:reread"),
)
