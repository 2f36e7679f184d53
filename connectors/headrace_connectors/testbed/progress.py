"""Progress of long work, on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from headrace.clock import SYSTEM, Clock

EVERY = 5.0
"""Seconds between two lines about one piece of work, where there is no terminal."""


class Shown:
    """Called with what is being done, how much of it is done, and of how much; a whole of 0 is not known.

    with Shown() as progress: progress("fetching", 3, 46)
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars = Progress(*columns, console=console, transient=True) if console.is_terminal else None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def over(self) -> None:
        """All that was under way is done; more may come."""
        if self._bars is not None:
            for task in self._tasks.values():
                self._bars.remove_task(task)
            self._tasks.clear()
            self._bars.stop()

    def __call__(self, what: str, done: int, of: int) -> None:
        if self._bars is not None:
            if what not in self._tasks:
                self._bars.start()
                self._tasks[what] = self._bars.add_task(what, total=of or None)
            self._bars.update(self._tasks[what], completed=done)
        elif what not in self._told:
            self._say(what, f"{what} …")
        elif of and self._clock.boot() - self._told[what] >= EVERY:
            self._say(what, f"{what}: {done:,} of {of:,}")

    def _say(self, what: str, line: str) -> None:
        self._told[what] = self._clock.boot()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
