"""When a file of records is full, and what becomes of it then: renamed by its last write, the oldest dropped.

A rotated file is `PATH.2025-11-25T16.40.01.123456Z`, of the time of its last write, so that names are in the order of
what is in them. Everything here is done by who holds the file's lock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import Field, model_validator

from headrace.settings import Count, Settings

_TIME: Final = "%Y-%m-%dT%H.%M.%S.%fZ"
_ENDING: Final = re.compile(r"\.\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{6}Z", re.ASCII)


class Rotation(Settings):
    """`rotate: {…}`."""

    max_bytes: Count | None = Field(
        None, ge=1, description="A write that would make the file larger begins a new one; one alone may be larger."
    )
    daily: bool = Field(False, description="The first write of a day, in UTC, begins a new one.")
    keep: Count | None = Field(
        None, ge=1, description="Rotated files that are kept; older ones are deleted with their records. Default: all."
    )

    @model_validator(mode="after")
    def _has_a_reason(self) -> Rotation:
        if self.max_bytes is None and not self.daily:
            raise ValueError("needs max_bytes, daily: true, or both")
        return self


def is_due(rotation: Rotation, file: os.stat_result, more: int, now: float) -> bool:
    """Whether a file that holds something is to be rotated before *more* bytes go into it."""
    if not file.st_size:
        return False
    if rotation.max_bytes is not None and file.st_size + more > rotation.max_bytes:
        return True
    return rotation.daily and _day(file.st_mtime) < _day(now)


def rotate(path: Path, rotation: Rotation, file: os.stat_result) -> None:
    """Move *path* away, and delete what is not kept. A crash in between leaves a name more, and no record less."""
    at = datetime.fromtimestamp(file.st_mtime_ns // 1000 / 1_000_000, UTC)
    while (new := Path(f"{path}.{at.strftime(_TIME)}")).exists():
        at += timedelta(microseconds=1)
    path.rename(new)
    if rotation.keep is not None:
        for old in rotated(path)[: -rotation.keep]:
            old.unlink(missing_ok=True)


def rotated(path: Path) -> Sequence[Path]:
    """Those that *path* was rotated to, the oldest first."""
    beside = (one for one in path.parent.iterdir() if one.name.startswith(path.name))
    return sorted(one for one in beside if _ENDING.fullmatch(one.name[len(path.name) :]))


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
