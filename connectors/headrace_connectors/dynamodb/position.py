"""The positions of a shard: how they are written, and how DynamoDB Streams are asked for them. Pure.

TRIM_HORIZON          before the first record that the shard still holds
since:<Unix seconds>  before the first record that was created then or later
from:<sequence>       before the record of this sequence number
<sequence>            after the record of this sequence number
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from headrace.model import Position

TRIM_HORIZON: Final = "TRIM_HORIZON"
_SINCE, _FROM = "since:", "from:"
_SEQUENCE = re.compile(r"[0-9]{1,40}", re.ASCII)
"""DynamoDB's have 21 to 40 digits, an emulator's may have fewer."""


def since(time: float) -> Position:
    """In whole seconds, as DynamoDB stamps its records; never later than *time*."""
    return f"{_SINCE}{math.floor(time)}"


def sequence(number: str) -> Position | None:
    """Before the record of that number; None when it can be none."""
    return f"{_FROM}{number}" if _SEQUENCE.fullmatch(number) else None


def floor_of(position: Position) -> float | None:
    """Records that were created before this time are not wanted; None where the position says nothing of time."""
    return float(position.removeprefix(_SINCE)) if position.startswith(_SINCE) else None


def from_horizon(position: Position) -> bool:
    """Whether the shard is read from the first record that it still holds: nothing behind that can be trimmed."""
    return position == TRIM_HORIZON or position.startswith(_SINCE)


def iterator(position: Position) -> dict[str, Any]:
    """The parameters of GetShardIterator. DynamoDB Streams know no start by time."""
    if from_horizon(position):
        return {"ShardIteratorType": TRIM_HORIZON}
    kind = "AT_SEQUENCE_NUMBER" if position.startswith(_FROM) else "AFTER_SEQUENCE_NUMBER"
    return {"ShardIteratorType": kind, "SequenceNumber": position.removeprefix(_FROM)}
