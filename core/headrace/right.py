"""What a mapping must be allowed to do by those who guard its servers: one right is one action on one thing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """What a right is needed for, the most pressing first."""

    RUN = "run"
    REPLAY = "replay"  # by every replay
    REREAD = "reread"  # by one of letters that say only where their records are, or of a range
    BACK = "back"  # by replay --to source alone
    DELETE = "delete"  # by replay --delete alone
    TRACE = "trace"  # to find where letters came from that do not say it: a replay goes on without
    LOOK = "look"  # to see what a run goes on without
    CHECK = "check"  # by check --connect alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """`who`: the identity that makes the call, in the connector's own terms; two that are equal are one."""

    who: Hashable
    action: str
    resource: str
    need: Need = Need.RUN
