"""The positions of a shard: how they are written, how Kinesis is asked for them, what of an answer follows. Pure.

* `TRIM_HORIZON`: before the first record that the shard still holds
* `at:<Unix seconds>`: before the first record that arrived then or later
* `from:<sequence number>`: before that record
* `<sequence number>`: after that record
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Final

from headrace.model import Position

TRIM_HORIZON: Final = "TRIM_HORIZON"
_AT, _FROM = "at:", "from:"
_SEQUENCE = re.compile(r"0|[1-9][0-9]{0,128}")
"""Of the API's own model."""


def at(time: float) -> Position:
    """In whole milliseconds, as Kinesis counts them; never later than *time*."""
    return f"{_AT}{math.floor(time * 1000) / 1000:.3f}"


def sequence(number: str) -> Position | None:
    """Before the record of that number; None when it can be none."""
    return f"{_FROM}{number}" if _SEQUENCE.fullmatch(number) else None


def is_after_record(position: Position) -> bool:
    """True where the position is a record that was read, and is to be met again."""
    return position[:1].isdigit()


def iterator(position: Position) -> dict[str, Any]:
    """The parameters of GetShardIterator.

    After a record is asked for as *at* it: where the record is past retention Kinesis goes on at the trim horizon,
    without a word; only the record itself shows that nothing was trimmed.
    """
    if position == TRIM_HORIZON:
        return {"ShardIteratorType": TRIM_HORIZON}
    if position.startswith(_AT):
        return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": float(position.removeprefix(_AT))}
    return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": position.removeprefix(_FROM)}


class Met(Enum):
    """Whether an answer has shown that nothing was trimmed behind a position."""

    YES = auto()
    NOT_YET = auto()
    NO = auto()


def beyond(records: Sequence[dict[str, Any]], position: Position) -> tuple[Sequence[dict[str, Any]], Met]:
    """The records of an answer that lie behind *position*, and whether the position was met.

    A position after a record is met by that record. Any other is met by whatever comes, or nothing; of a time, botocore
    asks in whole seconds, so that what is up to a second older may come first.
    """
    if position.startswith(_AT):
        return _since(records, float(position.removeprefix(_AT))), Met.YES
    if not is_after_record(position):
        return records, Met.YES
    number = int(position)
    cut = next((i for i, one in enumerate(records) if int(one["SequenceNumber"]) > number), len(records))
    if cut and int(records[cut - 1]["SequenceNumber"]) == number:
        return records[cut:], Met.YES
    return records[cut:], Met.NO if cut < len(records) else Met.NOT_YET


def _since(records: Sequence[dict[str, Any]], time: float) -> Sequence[dict[str, Any]]:
    cut = next((i for i, one in enumerate(records) if arrival(one) >= time), len(records))
    return records[cut:]


def arrival(record: dict[str, Any]) -> float:
    """ApproximateArrivalTimestamp, in Unix seconds with milliseconds: a number in lean answers, a time in full ones."""
    value = record["ApproximateArrivalTimestamp"]
    seconds = value if isinstance(value, (int, float)) else value.timestamp()
    return math.floor(seconds * 1000 + 0.5) / 1000  # what round(seconds, 3) gives, at a quarter of what that costs
