"""Where a log is to be read from next, as an operator says it, and what came of that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Edge(Enum):
    """An end of a log: the oldest record that is kept, or what comes from now on."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"


@dataclass(frozen=True, slots=True)
class At:
    """The first record that arrived at Unix time `time` or later."""

    time: float


@dataclass(frozen=True, slots=True)
class Sequence:
    """The record of this sequence number or offset, in one lane."""

    number: str


Target: TypeAlias = Edge | At | Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A lane and its positions, as people read them; `done` is false while its owner has not carried it out."""

    lane: str
    was: str
    to: str
    done: bool = True
