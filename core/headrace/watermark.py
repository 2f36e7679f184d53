"""How far a log has been settled without a gap. Pure: no I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from headrace.model import Held, Position, Record


class Watermark:
    """Numbers the records of a log, takes their settlements in any order, and gives the highest gapless position.

    Several records may share a position (the sub-records of one aggregated Kinesis record): it is reached when the
    last of them is settled. What is settled keeps only its number, position and size.

    `reached` is the position, None before the first; `passed` is how many records lie at or below it.
    """

    def __init__(self) -> None:
        self._next = 0
        self._low = 0
        self._settled: set[int] = set()
        self._open: deque[tuple[int, Position, int]] = deque()
        self._nbytes = 0
        self.reached: Position | None = None
        self.passed = 0

    @property
    def above(self) -> Held:
        """Everything above the mark, settled or not."""
        return Held(self._next - self._low, self._nbytes)

    def track(self, records: Sequence[Record]) -> None:
        """Number *records*, which were read in this order."""
        nbytes, track = 0, self._open.append  # for every record that is read: names of the call's own cost least
        for number, record in enumerate(records, self._next):
            record.number = number
            track((number, record.token, record.size))
            nbytes += record.size
        self._nbytes += nbytes
        self._next += len(records)

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
        waiting, low = self._open, self._low
        nbytes, reached, passed = self._nbytes, self.reached, self.passed
        while waiting and waiting[0][0] < low:
            number, position, size = waiting.popleft()
            nbytes -= size
            if not waiting or waiting[0][1] != position:
                reached, passed = position, number + 1
        self._nbytes, self.reached, self.passed = nbytes, reached, passed
