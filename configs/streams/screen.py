# ruff: noqa: INP001 - part of a script
"""What the demo shows: a line for everything that is done, a live table on a terminal (lines elsewhere), the books."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from books import Books, per_copy, per_shard
from copies import Copy
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.testing.lineage import Lineage

EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


class Tail:
    """The lines that were added to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._rest = path, 0, ""

    def lines(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open() as file:
            file.seek(self._at)
            text = self._rest + file.read()
            self._at = file.tell()
        *lines, self._rest = text.split("\n")
        return lines


class Screen:
    """Readings sent, handled and given up are counted from other people's files."""

    def __init__(self, console: Console, sent: Path, failed: Path) -> None:
        self._console, self._sent, self._failed = console, Tail(sent), Tail(failed)
        self._books: dict[int, Tail] = {}
        self.sent = self.failed = 0
        self._handled: set[int] = set()
        self._began, self._told = time.monotonic(), 0.0
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._live:
            self._live.stop()

    @property
    def handled(self) -> int:
        return len(self._handled)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def say(self, words: str) -> None:
        self._console.print(f"[bold]{self.elapsed:5.1f} s[/]  {words}", highlight=False, soft_wrap=True)

    def show(self, text: str) -> None:
        self._console.print(text.rstrip(), highlight=False, markup=False, soft_wrap=True)

    def look(self, copies: Sequence[Copy]) -> None:
        """Count what was added, and show it."""
        self.sent += len(self._sent.lines())
        self.failed += len(self._failed.lines())
        for copy in copies:
            for line in self._books.setdefault(copy.number, Tail(copy.book)).lines():
                one = json.loads(line)
                if one["phase"] == "done":
                    self._handled.add(one["n"])
        if self._live:
            self._live.update(self._table(copies))
        elif self.elapsed - self._told >= EVERY:
            self._told = self.elapsed
            reading = "; ".join(f"copy {one.number}: {_shards(one)}" for one in copies)
            self.say(f"{self._counts()}; {reading}")

    def _counts(self) -> str:
        lag = max(self.sent - len(self._handled) - self.failed, 0)
        return f"sent {self.sent:,}, handled {len(self._handled):,}, given up {self.failed}, lag {lag:,}"

    def _table(self, copies: Sequence[Copy]) -> Group:
        table = Table(box=None, header_style="bold")
        for name in ("copy", "state", "reads"):
            table.add_column(name)
        for copy in copies:
            state = "running" if copy.running else copy.ending
            table.add_row(str(copy.number), state, _shards(copy) if copy.running else "")
        return Group(Text(self._counts()), table)


def _shards(copy: Copy) -> str:
    """The ends of their names, which tell them apart."""
    shards = copy.shards()
    if shards is None:
        return "no answer" if copy.running else copy.ending
    return " ".join(short(shard) for shard in sorted(shards)) or "nothing"


def short(shard: str) -> str:
    """`shardId-000000000004` as `…004`."""
    return f"…{shard[-3:]}"


def _heading(title: str, *columns: str) -> Table:
    table = Table(title=title, box=None, title_justify="left", header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number in {0, len(columns) - 1} else "right")
    return table


def copy_table(books: Books, copies: Sequence[Copy]) -> Table:
    table = _heading("\ncopies", "copy", "handled", "calls", "failed or cut off", "end")
    for copy in copies:
        handled, calls, other = per_copy(books.history, copy)
        table.add_row(str(copy.number), f"{handled:,}", f"{calls:,}", f"{other:,}", copy.ending)
    return table


def shard_table(books: Books, copies: Sequence[Copy]) -> Table:
    number_of = {copy.pid: copy.number for copy in copies}
    table = _heading("\nshards", "shard", "sent", "handled", "given up", "parents", "read by copy")
    for shard, parents in sorted(books.parents.items()):
        sent, handled, given_up, pids = per_shard(books, shard)
        owners = ", ".join(str(number_of.get(pid, "?")) for pid in pids)
        table.add_row(shard, f"{sent:,}", f"{handled:,}", f"{given_up}", " ".join(map(short, parents)), owners)
    return table


def balance_table(books: Books, lineage: Lineage, seconds: float, takeovers: Sequence[float]) -> Table:
    table = _heading("\nthe books, from the files in demo-out/streams/", "", "readings", "from")
    lost = sum(kind == "lost" for kind, _ in lineage.breaches)
    disorder = sum(kind in {"overtaken", "early child"} for kind, _ in lineage.breaches)
    rows: list[tuple[str, Any, str]] = [
        ("sent", len(books.produced), "the producer's file"),
        ("handled", len(books.handled), "the handlers' files, each number once"),
        ("given up", len(books.given_up), "the failure destination: those that are bad"),
        ("lost", lost, "sent - handled - given up"),
        ("out of order", disorder, "begun before an earlier one of their meter, or their shard's parents"),
        *((f"again: {cause}", count, MEANING.get(cause, "")) for cause, count in lineage.repeats.items()),
        ("again, without a cause", sum(kind == "repeat" for kind, _ in lineage.breaches), "must be none"),
    ]
    for words, number, source in rows:
        table.add_row(words, f"{number:,}", source)
    for took in sorted(takeovers)[-1:]:
        table.add_row("seconds without a reader", f"{took:.1f}", "the shards of the copy that was killed, at most")
    table.add_row("seconds", f"{seconds:.0f}", "all of it")
    return table


MEANING = {
    "failed": "batches with a bad reading, tried again and split",
    "kill": "begun by the copy that was killed, and not yet committed",
    "lease lost": "a copy that was too slow to renew its lease (this machine is busy)",
    "above a gap": "handled while an earlier batch of their shard was waiting to be tried again",
}
