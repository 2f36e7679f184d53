"""What a mapping must be allowed to do by those who guard its servers: one right is one action on one thing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """What a right is needed for, the most pressing first.

    To run; to look at what is gone on without; for `check --connect` alone. By `headrace replay`: always; where letters
    say only where their records are, and for a range; with `--to source` alone; with `--delete` alone; to trace where
    letters came from that do not say it.
    """

    RUN = "run"
    REPLAY = "replay"
    REREAD = "reread"
    BACK = "back"
    DELETE = "delete"
    TRACE = "trace"
    LOOK = "look"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """`who`: the identity that makes the call, in the connector's own terms; two that are equal are one."""

    who: Hashable
    action: str
    resource: str
    need: Need = Need.RUN
