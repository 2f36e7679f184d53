"""What a person watches while a service runs: a live table on a terminal, a line of log every ten seconds elsewhere."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.clock import SYSTEM
from headrace.observe import log
from headrace.service.status import MappingView

Look = Callable[[], Sequence[MappingView]]

EVERY: Final = 10.0
"""Seconds between two lines of progress."""

RECENT: Final = 5.0
"""Seconds over which records/s is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is shown of one mapping. The names of the fields are those of the columns, and of the line of log."""

    mapping: str
    received: int
    succeeded: int
    failed: int
    retried: int
    returned: int
    dead_lettered: int | None
    in_flight: int
    records_per_second: float
    p50_age: float
    p99_age: float
    state: str
    reason: str

    def cells(self) -> dict[str, str]:
        """As the table shows it, by the column's heading."""
        return {
            "mapping": self.mapping,
            "received": f"{self.received:,}",
            "succeeded": f"{self.succeeded:,}",
            "failed": f"{self.failed:,}",
            "retried": f"{self.retried:,}",
            "returned": f"{self.returned:,}",
            "dead-\nlettered": "?" if self.dead_lettered is None else f"{self.dead_lettered:,}",
            "in\nflight": f"{self.in_flight:,}",
            "records\n/s": f"{self.records_per_second:,.0f}",
            "p50\nage": seconds(self.p50_age),
            "p99\nage": seconds(self.p99_age),
        }

    @property
    def doing(self) -> str:
        """A line below the table; nothing while all is well."""
        if self.state == "polling" and not self.reason:
            return ""
        return f"{self.mapping}: {self.state}" + (f": {self.reason}" if self.reason else "")


WIDE: Final = 95
"""Columns of a terminal that take the whole table."""

SPARED: Final = ("returned", "in\nflight")
"""What a narrower one does without."""

SETTLED: Final = ("filtered_out", "succeeded", "dropped", "delivered", "deduplicated")
"""What a rate counts: records that need not come again."""


class Rate:
    """Records settled a second, lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, now: float, count: int) -> float:
        """The rate with *count* settled so far, which was learned at *now*."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RECENT:  # noqa: PLR2004 - two points make a rate
            self._seen.popleft()
        began, before = self._seen[0]
        return (count - before) / (now - began) if now > began else 0.0


class Progress:
    """Turns views into rows; keeps what rates need."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._rates: dict[str, Rate] = {}
        self._shown = Group()

    def rows(self) -> list[Row]:
        """One for each mapping that runs."""
        return [self._row(view) for view in self._look() if view.enabled]

    def table(self, width: int = WIDE) -> Group:
        """All rows, and a line for each mapping that does not poll; the last ones again while the loop changes them."""
        try:
            rows = self.rows()
        except RuntimeError:  # a dict changed its size: this runs in a thread of its own
            return self._shown
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        cells = [row.cells() for row in rows]
        names = [name for name in (cells[0] if cells else ()) if width >= WIDE or name not in SPARED]
        for name in names:
            table.add_column(name, justify="left" if name == "mapping" else "right", no_wrap=True)
        for cell in cells:
            table.add_row(*(Text(cell[name]) for name in names))
        self._shown = Group(Text(), table, *(Text(row.doing, style="yellow") for row in rows if row.doing))
        return self._shown

    def _row(self, view: MappingView) -> Row:
        counts = view.counts
        settled = sum(counts[name] for name in SETTLED)
        return Row(
            mapping=view.mapping,
            received=counts["polled"],
            succeeded=counts["succeeded"],
            failed=counts["failed"],
            retried=counts["retried"],
            returned=counts["returned"],
            dead_lettered=view.dead_lettered,
            in_flight=view.in_flight,
            records_per_second=round(self._rates.setdefault(view.mapping, Rate()).at(SYSTEM.boot(), settled), 1),
            p50_age=view.age.p50,
            p99_age=view.age.p99,
            state=view.state,
            reason=view.reason,
        )


class LiveTable:
    """The table at the foot of a terminal, redrawn in a thread: a terminal that is stopped never stops the loop.

    Standard error is drawn above it where that is the same terminal.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self._live = Live(
            console=console,
            get_renderable=lambda: progress.table(console.width),
            refresh_per_second=4,
            redirect_stdout=True,
            redirect_stderr=sys.stderr.isatty(),
            vertical_overflow="visible",
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


async def report_progress(progress: Progress, every: float = EVERY) -> None:
    """A line of log for each mapping every so many seconds, until cancelled."""
    logger = log()
    while True:
        await asyncio.sleep(every)
        for row in progress.rows():
            logger.info("mapping.progress", **asdict(row))


def show_cursor() -> None:
    """What a terminal needs back from a process that ends without leaving `LiveTable`."""
    with suppress(OSError):
        if os.isatty(1):
            os.write(1, b"\x1b[?25h\n")


def seconds(value: float) -> str:
    """A duration short enough for a column."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value * 1000:.0f} ms"
