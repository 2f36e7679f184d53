"""Where a partition is read from first (design rule 6). Pure.

What a group has committed rules. Where it has nothing, LATEST and AT_TIMESTAMP are made concrete once for a whole
topic, by who owns its partition 0, in one commit of all its partitions. So a partition without an offset beside a
partition 0 that has one is new, and read from its beginning; and the first records of a start at LATEST are not missed
however often its owner is killed before it has handled one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from headrace_connectors.kafka.client import Offset, TopicPartition


class Start(Enum):
    """What is to be done before a partition can be read."""

    BEGINNING = "beginning"
    """Read it from its beginning."""
    CONCRETE = "concrete"
    """Commit where all partitions of the topic begin, then look again."""
    WAIT = "wait"
    """Look again later: whoever owns partition 0 has not done so yet."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Read it from here."""

    offset: Offset


Step: TypeAlias = Start | Committed


def first_step(part: TopicPartition, committed: Mapping[TopicPartition, Offset], starting_position: str) -> Step:
    """What comes next for *part*; *committed* holds what its group has for it, and for partition 0 of its topic."""
    if (offset := committed.get(part)) is not None:
        return Committed(offset)
    if starting_position == "TRIM_HORIZON":
        return Start.BEGINNING
    if part.partition == 0:
        return Start.CONCRETE
    return Start.BEGINNING if TopicPartition(part.topic, 0) in committed else Start.WAIT


def missing(
    parts: Sequence[TopicPartition], committed: Mapping[TopicPartition, Offset], found: Mapping[TopicPartition, int]
) -> Mapping[TopicPartition, Offset]:
    """The one commit that makes a start concrete: where each of *parts* begins that has no offset yet."""
    return {part: Offset(found[part]) for part in parts if part not in committed}
