"""An instant as AWS writes it, and the ids of an occurrence, which are made of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

OCCURRENCES: Final = uuid5(NAMESPACE_URL, "headrace:schedule")


def utc(at: datetime) -> str:
    """`2026-01-01T12:00:00Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def call_id(schedule: str, at: datetime) -> str:
    """The id of the same occurrence in the queue of calls: the instant stands behind the last @."""
    return f"{schedule}@{at.isoformat()}"


def occurrence_id(schedule: str, at: datetime) -> UUID:
    """The id of the occurrence that *schedule*, by its whole name, has planned for *at*.

    The same in every process and at every attempt, so that whoever sees it twice knows; a promise: it never changes.
    """
    return uuid5(OCCURRENCES, f"{schedule} {at.astimezone(UTC).isoformat()}")
