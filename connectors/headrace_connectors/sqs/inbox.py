"""What was received and not yet handed out, and how much more may be asked for. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import groupby

from headrace.model import Record

MOST = 10
"""The most messages that one ReceiveMessage brings."""


class Inbox:
    """A standard queue's: message by message, whichever receive brought them."""

    def __init__(self) -> None:
        self._waiting: deque[Record] = deque()

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._waiting)

    def put(self, records: Sequence[Record]) -> None:
        self._waiting.extend(records)

    def take(self, limit: int) -> list[Record]:
        """The oldest, at most *limit*."""
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def clear(self) -> list[Record]:
        left = list(self._waiting)
        self._waiting.clear()
        return left

    def free(self, room: int, reserved: int) -> int:
        """Messages that a receive may ask for, where there is *room* for so many and *reserved* are being asked for."""
        return min(room - len(self._waiting) - reserved, MOST)

    def reserve(self, count: int) -> int:
        """What a receive of *count* messages reserves."""
        return count


class GroupedInbox:
    """A FIFO queue's: page by page, a page being one receive, or with *apart* one group of it.

    Everything here is counted in pages: each becomes a batch, and takes a place at the handler, however small it is.
    """

    def __init__(self, size: int, *, apart: bool) -> None:
        self._size, self._apart = size, apart
        self._waiting: deque[list[Record]] = deque()

    def __len__(self) -> int:
        """Messages that wait."""
        return sum(map(len, self._waiting))

    def put(self, records: Sequence[Record]) -> None:
        if self._apart:
            groups = groupby(sorted(records, key=_group), key=_group)  # sorted() keeps the order within a group
            self._waiting.extend(list(group) for _, group in groups)
        elif records:
            self._waiting.append(list(records))

    def take(self, limit: int) -> list[Record]:
        """The oldest page; what is above *limit* of it waits on, in front."""
        page = self._waiting.popleft()
        if len(page) > limit:
            self._waiting.appendleft(page[limit:])
        return page[:limit]

    def clear(self) -> list[Record]:
        left = [record for page in self._waiting for record in page]
        self._waiting.clear()
        return left

    def free(self, room: int, reserved: int) -> int:
        """Messages that a receive may ask for: a whole batch for each free place, or with *apart* one for each."""
        size = min(self._size, room)
        places = room // size - len(self._waiting) - reserved if size > 0 else 0
        return (min(places, size) if self._apart else size) if places > 0 else 0

    def reserve(self, count: int) -> int:
        """The places that a receive of *count* messages may need."""
        return count if self._apart else 1


def _group(record: Record) -> str:
    return record.key or ""
