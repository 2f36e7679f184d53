"""What becomes of an occurrence that fires while an earlier one of its schedule is still run. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

Overlap: TypeAlias = Literal["allow", "skip", "buffer_one"]

Begin: TypeAlias = Literal["now", "later", "never"]
"""`later`: when what runs has ended; `never`: it is recorded as missed, by overlap."""


def begin(overlap: Overlap, *, running: int, waiting: int) -> Begin:
    """When an occurrence begins, of whose schedule so many are *running* and *waiting*.

    `allow` is AWS's, which has no other. One that waits to be tried again after a failure is running: its occurrence is
    not over.
    """
    if overlap == "allow" or not (running or waiting):
        return "now"
    if overlap == "buffer_one" and not waiting:
        return "later"
    return "never"
