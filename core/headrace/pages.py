"""Pages that wait, each for its own place at the handler. Pure.

Records that are ordered by key come in pages: one receive of a queue, in which nothing may be mixed with another's. The
source gives out no more of a key while some of it is out, so batches that run side by side share no key.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from headrace.model import Record


class Pages:
    """The batcher of key order: one page is one batch, and goes at once."""

    due = None

    def __init__(self) -> None:
        self._waiting: deque[Sequence[Record]] = deque()

    def __len__(self) -> int:
        """Records that wait."""
        return sum(map(len, self._waiting))

    @property
    def full(self) -> bool:
        return bool(self._waiting)

    def room(self, places: int, size: int) -> int:
        """Records that may still come for *places* batches of *size*: a small page takes a whole place."""
        return max(places - len(self._waiting), 0) * size

    def add(self, records: Sequence[Record], _now: float) -> None:
        if records:
            self._waiting.append(records)

    def take(self) -> Sequence[Record]:
        return self._waiting.popleft()

    def clear(self) -> Sequence[Record]:
        """Everything that waits, in order; nothing waits afterwards."""
        waiting = [record for page in self._waiting for record in page]
        self._waiting.clear()
        return waiting


def cut(page: Sequence[Record], nbytes: int) -> list[Sequence[Record]]:
    """*page* in pieces of at most *nbytes* of event, in order; a record that is too large for that goes alone."""
    pieces: list[Sequence[Record]] = []
    start = taken = 0
    for index, record in enumerate(page):
        if taken and taken + record.size > nbytes:
            pieces.append(page[start:index])
            start, taken = index, 0
        taken += record.size
    return [*pieces, page[start:]]
