"""What a replay tells: while it runs, of each letter where it matters, and at its end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum, auto
from types import TracebackType
from typing import Any, Final, Self, TextIO

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from headrace.cli import common
from headrace.clock import SYSTEM
from headrace.config.places import printable
from headrace.letters import Letter
from headrace.replaying.replay import Outcome, Replay, What

COLUMNS: Final = ("letter", "mapping", "class", "given up", "tries", "records", "error", "first record")

ROWS: Final = 1000
"""Rows of a preview; the rest is counted."""

REASONS: Final = 3
"""Reasons of what was skipped; the rest is not named."""

SHORT: Final = 60
"""Characters of an error, and of an event, in a table."""

EVERY: Final = 10.0
"""Seconds between two lines of progress, where no terminal shows it."""


class Shown(Enum):
    """How: a line for each that did not succeed; a table of all; JSON."""

    LINES = auto()
    PREVIEW = auto()
    JSON = auto()


class Report:
    """Of one replay, from its begin to its end. JSON goes to *out*: what a handler prints does not.

    *goes_on*: what does, after an early end.
    """

    def __init__(self, place: str, shown: Shown, goes_on: str, out: TextIO) -> None:
        self._place, self._shown, self._goes_on, self._out = place, shown, goes_on, out
        self._counts: Counter[What] = Counter()
        self._skipped: Counter[str] = Counter()
        self._rows: list[tuple[str, ...]] = []
        self._told = SYSTEM.boot()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if self._shown is not Shown.JSON and sys.stderr.isatty():
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(self._place)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, outcome: Outcome) -> None:
        self._counts[outcome.what] += 1
        if outcome.what is What.SKIPPED:
            self._skipped[outcome.reason] += 1
        if self._shown is Shown.JSON:
            self._write(_plain(outcome))
        elif outcome.what in {What.FAILED, What.UNREADABLE}:
            self._line(outcome)
        if self._shown is Shown.PREVIEW and outcome.what is What.SHOWN and len(self._rows) < ROWS:
            self._rows.append(_cells(outcome))  # not the letter, which may be large
        self._progress()

    def end(self, replay: Replay, trouble: str) -> None:
        """What became of all."""
        counts = {what.value: replay.counts[what] for what in What if replay.counts[what]}
        if self._shown is Shown.JSON:
            self._write({"counts": counts, "records": replay.sent, "ended": trouble or replay.ended_early or "all"})
        else:
            if self._rows:
                self._preview(replay.counts[What.SHOWN])
            told = ", ".join(f"{count:,} {word}{self._why(word)}" for word, count in counts.items()) or "no letters"
            goes_on = "" if self._shown is Shown.PREVIEW else f"; {self._goes_on}"
            early = f" ({replay.ended_early}{goes_on})" if replay.ended_early else ""
            if counts or not trouble:
                print(f"{self._place}: {told}{early}")
        if trouble:
            print(f"headrace: {trouble}", file=sys.stderr)

    def _why(self, word: str) -> str:
        """Why letters were skipped: nothing else is said of them."""
        if word != What.SKIPPED.value:
            return ""
        reasons = [f"{count:,} {printable(why)}" for why, count in self._skipped.most_common(REASONS)]
        return f" ({', '.join([*reasons, *['…'] * (len(self._skipped) > REASONS)])})"

    def _line(self, outcome: Outcome) -> None:
        named = f" ({', '.join(outcome.failed[:10])})" if outcome.failed else ""
        whose = f" of {outcome.mapping or outcome.function}" if outcome.mapping or outcome.function else ""
        line = printable(f"{outcome.what.value}: {outcome.id}{whose}{named}: {' '.join(outcome.reason.split())}")
        if self._bar is not None:
            self._bar.console.print(Text(line), soft_wrap=True)
        else:
            print(line, file=sys.stderr)

    def _progress(self) -> None:
        words = ", ".join(f"{count:,} {what.value}" for what, count in self._counts.items())
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], description=f"{self._place}: {words}")
        elif SYSTEM.boot() - self._told > EVERY:
            self._told = SYSTEM.boot()
            print(f"{self._place}: {words} so far", file=sys.stderr)

    def _write(self, value: Mapping[str, Any]) -> None:
        print(json.dumps(value), file=self._out, flush=True)

    def _preview(self, all_of_them: int) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in COLUMNS:
            right = name in {"tries", "records"}
            table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in self._rows:
            table.add_row(*map(Text, row))
        common.console().print(table)
        if all_of_them > len(self._rows):
            print(f"… and {all_of_them - len(self._rows):,} more")


def _cells(outcome: Outcome) -> tuple[str, ...]:
    letter = outcome.letter
    assert letter is not None, "what is shown was read"  # noqa: S101
    return (
        outcome.id,
        outcome.mapping or outcome.function,
        letter.cls or "-",
        _time(letter),
        str(letter.attempts or "-"),
        str(outcome.records),
        _short(letter.error),
        _short(json.dumps(outcome.first, ensure_ascii=False)),
    )


def _time(letter: Letter) -> str:
    return f"{datetime.fromtimestamp(letter.at, UTC):%Y-%m-%dT%H:%M:%SZ}" if letter.at else "-"


def _short(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"


def _plain(outcome: Outcome) -> dict[str, Any]:
    letter = outcome.letter
    about = {} if letter is None else {"class": letter.cls, "error": letter.error, "at": letter.at}
    return {
        "letter": outcome.id,
        "outcome": outcome.what.value,
        "mapping": outcome.mapping,
        "function": outcome.function,
        "records": outcome.records,
        "failed": list(outcome.failed),
        "reason": outcome.reason,
        **about,
        **({} if outcome.event is None else {"event": outcome.event}),
    }
