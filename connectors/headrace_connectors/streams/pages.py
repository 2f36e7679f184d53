"""Pages of records that were read and are served in slices; a position is never torn. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.model import Record


def whole(records: Sequence[Record], cut: int) -> int:
    """Where to cut *records* at *cut* or later, so that those of one position (one token) stay together."""
    while 0 < cut < len(records) and records[cut].token == records[cut - 1].token:
        cut += 1
    return cut


class Pages:
    """What waits to be served: one page, and how far it was served. No record is copied twice."""

    def __init__(self) -> None:
        self._page: Sequence[Record] = ()
        self._served = 0

    def __len__(self) -> int:
        """Records that wait."""
        return len(self._page) - self._served

    @property
    def first(self) -> Record | None:
        """The record that is served next."""
        return self._page[self._served] if len(self) else None

    def put(self, page: Sequence[Record]) -> None:
        """The next page; only when nothing waits."""
        self._page, self._served = page, 0

    def take(self, limit: int) -> Sequence[Record]:
        """The next records, at most *limit*, or more where they share a position."""
        start = self._served
        if start == 0 and limit >= len(self._page):
            self._served = len(self._page)
            return self._page
        self._served = whole(self._page, min(start + max(limit, 1), len(self._page)))
        return self._page[start : self._served]
