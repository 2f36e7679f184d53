"""What the words of `headrace schedule` share: their times and counts, and how occurrences are shown."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Final, TypeAlias

from rich.table import Table

from headrace.cli.common import console
from headrace.clock import SYSTEM
from headrace.errors import ConfigError, Fault
from headrace.times import unix
from headrace_connectors.schedule.explain import never, rows
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.timetable import Timetable
from headrace_connectors.schedule.words import meaning

Words: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - its only name

MOST: Final = 100_000
"""Occurrences that are shown at once."""


def time(option: str, text: str) -> datetime:
    """The time that an option's *text* names.

    Raises:
        ConfigError: it names none.
    """
    try:
        return datetime.fromtimestamp(unix(text), UTC)
    except (ValueError, OverflowError, OSError):
        message = f"{text!r} is no time; write Unix seconds, or a time as 2026-01-31T12:00:00Z"
        raise ConfigError([Fault(option, message)]) from None


def since(text: str | None) -> datetime:
    """The instant that `--from` means: now, where nothing is written.

    Raises:
        ConfigError: it means none.
    """
    return datetime.fromtimestamp(SYSTEM.wall(), UTC) if text is None else time("--from", text)


def count(text: str) -> int:
    """How many occurrences `--count` asks for.

    Raises:
        ConfigError: it is no such number.
    """
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST:
        return int(text)
    raise ConfigError([Fault("--count", f"{text!r} is no whole number from 1 to {MOST:,}")])


def show(timetable: Timetable, after: datetime, most: int) -> None:
    """Its meaning, and its next occurrences or why there is none, for people."""
    shown = console()
    shown.print(meaning(timetable), soft_wrap=True)
    lines = rows(timetable, after, most)
    if not lines:
        shown.print(f"It {never(timetable, after)}.", soft_wrap=True)
        return
    table = Table("local time", "UTC", "", box=None, pad_edge=False, header_style="bold")
    for row in lines:
        table.add_row(row.local, utc(row.at) if row.at else "-", row.note)
    shown.print()
    shown.print(table)
