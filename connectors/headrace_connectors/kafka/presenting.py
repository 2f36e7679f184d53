"""Which shape a source gives its messages, and what its events say that they come from. Pure."""

from __future__ import annotations

import re
from typing import Final

from headrace_connectors.kafka.present.shape import ACCOUNT, Around, Shape
from headrace_connectors.kafka.present.shapes import SHAPES, Presentation

REGION: Final = "us-east-1"

_FORMS: Final[dict[Presentation, str]] = {
    "sqs": "arn:aws:sqs:REGION:ACCOUNT:QUEUE",
    "kinesis": "arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM",
    "dynamodb": "arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE",
}
_ARN: Final = re.compile(
    r"arn:aws[a-z0-9-]*:(?P<service>sqs|kinesis|dynamodb):(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12})"
    r":(?:(?:stream|table)/)?(?P<name>[A-Za-z0-9_.-]+)(?:/stream/[0-9A-Za-z:.-]+)?"
)


def checked_arn(value: str | None) -> str | None:
    """*value*, if it names a queue, a stream or a table.

    Raises:
        ValueError: it does not.
    """
    if value is not None and not _ARN.fullmatch(value):
        raise ValueError(f"must be {', '.join(_FORMS.values())}")
    return value


def wrong_with(arn: str | None, present_as: Presentation) -> str:
    """Why *arn* cannot stand in events of the shape *present_as*, and the mend; empty where it can."""
    if arn is None:
        return ""
    if present_as == "kafka":
        return "is only for present_as: sqs, kinesis or dynamodb; take it out"
    found = _ARN.fullmatch(arn)
    service = found["service"] if found else ""
    return "" if service == present_as else f"is of {service}: with present_as: {present_as} write {_FORMS[present_as]}"


def shape_of(
    present_as: Presentation,
    arn: str | None,
    *,
    topic: str,
    bootstrap_servers: str,
    region: str | None,
    windowed: bool,
) -> Shape:
    """The shape of a source's records; *arn* is checked. Without one what they are of has the name of *topic*."""
    found = _ARN.fullmatch(arn or "")
    around = Around(
        name=found["name"] if found else topic,
        bootstrap_servers=bootstrap_servers,
        region=found["region"] if found else region or REGION,
        account=found["account"] if found else ACCOUNT,
        windowed=windowed,
    )
    return SHAPES[present_as](around)
