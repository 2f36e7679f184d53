"""What the words of `headrace schedule` share: times and counts as they are typed, and the table of occurrences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from rich.table import Table

from headrace.errors import ConfigError, Fault
from headrace.times import unix
from headrace_connectors.schedule.explain import Row
from headrace_connectors.schedule.instants import utc

MOST: Final = 100_000
"""Occurrences that are shown at once."""


def time_of(option: str, text: str | None) -> datetime | None:
    """The instant that *text*, typed at *option*, means.

    Raises:
        ConfigError: it is none.
    """
    if text is None:
        return None
    try:
        return datetime.fromtimestamp(unix(text), UTC)
    except (ValueError, OverflowError, OSError):
        message = f"{text!r} is no time; write Unix seconds, or a time as 2026-01-31T12:00:00Z"
        raise ConfigError([Fault(option, message)]) from None


def count_of(text: str) -> int:
    """How many, as typed at `--count`.

    Raises:
        ConfigError: it is no such number.
    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST:
        return int(text)
    raise ConfigError([Fault("--count", f"{text!r} is no whole number from 1 to {MOST:,}")])


def table(rows: Iterable[Row]) -> Table:
    """Local time, UTC, and what a change of the clocks does to it."""
    shown = Table("local time", "UTC", "", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(row.local, utc(row.at) if row.at else "-", row.note)
    return shown
