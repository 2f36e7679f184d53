"""Which records of a batch may be run now, which were, and which wait, by how it stands with their keys. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from headrace.model import Order, Record
from headrace.verdicts import Standing, State

LOOK_AGAIN = 0.5
"""Seconds between two looks at a key that is held elsewhere, at most."""


class Parted(NamedTuple):
    """Of a batch: what is ours to run, what was run before, and what waits; look again after so many seconds."""

    ready: Sequence[Record]
    seen: Sequence[Record] = ()
    later: Sequence[Record] = ()
    wait: float = 0.0


def candidates(
    records: Sequence[Record], keys: Sequence[str | None], order: Order, held: Collection[str]
) -> Iterator[str]:
    """The keys of what could be run together: no key twice, and nothing that has to wait for another of these.

    Nor, in a sequence, what is behind a key that was *held* elsewhere when it was last asked for: nothing is begun in
    vain.
    """
    taken, waiting = set[str](), _Waiting(order)
    for record, key in zip(records, keys, strict=True):
        if key in taken or waiting.keeps(record):
            waiting.add(record)
            if waiting.keeps_all:
                return
        elif key is not None:
            taken.add(key)
            yield key
            if order is Order.SEQUENCE and key in held:
                return


def part(records: Sequence[Record], keys: Sequence[str | None], order: Order, found: Mapping[str, Standing]) -> Parted:
    """Part *records* by what was *found* of the candidates.

    What was run before is settled wherever it stands: it is as if it were not there.
    """
    ready: list[Record] = []
    seen: list[Record] = []
    later: list[Record] = []
    taken, waiting = set[str](), _Waiting(order)
    for record, key in zip(records, keys, strict=True):
        state = found[key].state if key is not None and key in found else None
        if state is State.DONE:
            seen.append(record)
        elif waiting.keeps(record) or (key is not None and (state is not State.BEGUN or key in taken)):
            waiting.add(record)
            later.append(record)
        else:
            ready.append(record)
            if key is not None:
                taken.add(key)
    held = [one.left for one in found.values() if one.state is State.HELD]
    return Parted(ready, seen, later, min([*held, LOOK_AGAIN]))


class _Waiting:
    """What waits, and so keeps what is behind it: in a sequence everything, in key order what is of its key."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._groups: set[str | None] = set()
        self.keeps_all = False

    def add(self, record: Record) -> None:
        self._groups.add(record.key)
        self.keeps_all = self._order is Order.SEQUENCE

    def keeps(self, record: Record) -> bool:
        return self.keeps_all or (self._order is Order.KEY and record.key in self._groups)
