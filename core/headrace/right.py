"""What a mapping must be allowed to do by those who guard its servers: one right is one action on one thing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """What a right is needed for: to run; to look at what a run goes on without; or for `check --connect` alone."""

    RUN = "run"
    LOOK = "look"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """`who`: the identity that makes the call, in the connector's own terms; two that are equal are one."""

    who: Hashable
    action: str
    resource: str
    need: Need = Need.RUN
