"""How far a log has been settled without a gap. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from headrace.model import Held, Position, Record


class _Page:
    """Records that were tracked together: *first* is the number of the first, *passed* how many lie below the mark."""

    __slots__ = ("first", "passed", "positions", "sizes", "times")

    def __init__(self, first: int, positions: list[Position], sizes: list[int], times: list[float]) -> None:
        self.first, self.positions, self.sizes, self.times = first, positions, sizes, times
        self.passed = 0


class Watermark:
    """Numbers the records of a log, takes their settlements in any order, and gives the highest gapless position.

    Several records may share a position (the sub-records of one aggregated Kinesis record): it is reached when the
    last of them is settled. What is settled keeps only its number, position, size and time.

    `reached` is the position, None before the first; `passed` is how many records lie at or below it.
    """

    def __init__(self) -> None:
        self._next = 0
        self._low = 0
        self._settled: set[int] = set()
        self._open: deque[_Page] = deque()
        self._nbytes = 0
        self.reached: Position | None = None
        self.passed = 0

    @property
    def above(self) -> Held:
        """Everything above the mark, settled or not."""
        return Held(self._next - self._low, self._nbytes)

    @property
    def oldest(self) -> float | None:
        """When the first record above the mark arrived at its source; None where nothing is above it."""
        if not self._open:
            return None
        page = self._open[0]
        return page.times[page.passed]

    def track(self, records: Sequence[Record]) -> None:
        """Number *records*, which were read in this order."""
        if not records:
            return
        sizes = [record.size for record in records]
        times = [record.at for record in records]
        self._open.append(_Page(self._next, [record.token for record in records], sizes, times))
        for number, record in enumerate(records, self._next):
            record.number = number
        self._nbytes += sum(sizes)
        self._next += len(records)

    def place(self, record: Record) -> int:
        """Which of those that share its position *record* is, from 0; it is not settled."""
        page = next(one for one in self._open if one.first <= record.number < one.first + len(one.positions))
        at = first = record.number - page.first
        while first and page.positions[first - 1] == record.token:
            first -= 1
        return at - first

    def settle(self, records: Sequence[Record]) -> None:
        """These, each for the first time, have their verdict."""
        if not records:
            return
        numbers = [record.number for record in records]
        if max(numbers) - self._low + 1 == len(numbers):  # none is below the mark: then these are the next ones
            self._low += len(numbers)
        else:
            self._settled.update(numbers)
        while self._low in self._settled:
            self._settled.remove(self._low)
            self._low += 1
        self._pass()

    def _pass(self) -> None:
        """Move the mark over every position whose last record lies below it."""
        while self._open and self._open[0].first < self._low:
            page = self._open[0]
            end = min(self._low - page.first, len(page.positions))
            self._nbytes -= sum(page.sizes[page.passed : end])
            self._reach(page, end)
            page.passed = end
            if end < len(page.positions):
                return
            self._open.popleft()

    def _reach(self, page: _Page, end: int) -> None:
        """Of *page* everything before its *end*-th record is settled: but a position that it shares is not reached."""
        positions = page.positions
        if end < len(positions):
            following = positions[end]
        elif len(self._open) > 1:
            following = self._open[1].positions[0]
        else:
            following = None
        while end > page.passed and positions[end - 1] == following:
            end -= 1
        if end > page.passed:
            self.reached, self.passed = positions[end - 1], page.first + end
