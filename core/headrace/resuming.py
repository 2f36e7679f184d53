"""In which order a batch is gone on with of which some were tried before, and are only to be told of. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TypeAlias

from headrace.model import Order, Record

Groups: TypeAlias = Mapping[int, Hashable]
"""What came to which records together, by their identity; the others are to be tried."""


class Run(NamedTuple):
    """Records that are gone on with together; `group` None: they are to be tried."""

    group: Hashable | None
    records: Sequence[Record]


def parted(records: Sequence[Record], groups: Groups, order: Order) -> list[Run]:
    """*records* as runs, one to be finished before the next.

    A sequence keeps its order. In key order what was tried before goes first: whatever else there is of its group was
    behind it then, or has failed beside it. Where there is no order it goes last: it waits for a destination, perhaps.
    """

    def group_of(record: Record) -> Hashable | None:
        return groups.get(id(record))

    if order is Order.SEQUENCE:
        return [Run(group, list(some)) for group, some in groupby(records, key=group_of)]
    together: dict[Hashable | None, list[Record]] = {}
    for record in records:
        together.setdefault(group_of(record), []).append(record)
    untried = together.pop(None, [])
    runs = [Run(group, some) for group, some in together.items()]
    tried = [Run(None, untried)] if untried else []
    return [*runs, *tried] if order is Order.KEY else [*tried, *runs]
