"""Which shards a worker takes, and which it asks another for. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from headrace.ledger import Row

UNEVEN = 2
"""How many more shards another must hold before it is asked for one: a difference of one moves nothing to and fro."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What to do next: rows to take, in this order, and at most one to ask for."""

    take: tuple[str, ...] = ()
    ask: str | None = None


def choose(
    rows: Sequence[Row], owner: str, *, waited: Collection[str], reserved: Collection[str], may_ask: bool
) -> Move:
    """The next move of *owner* among *rows*, which are all to be read.

    Up to its fair share it takes what nobody holds at once, and beyond it what has *waited* for somebody else to take
    it; what is *reserved* was let go for another who asked. Only when nothing is free it asks the one who holds most
    for one shard, and nobody who is asked already. Workers begin at different places, so that they do not run for the
    same row. Who holds nothing is seen by others only while it asks.
    """
    held = Counter(row.owner for row in rows if row.held)
    mine = held.pop(owner, 0)
    others = {*held, *(row.asked for row in rows if row.held and row.asked)} - {owner}
    fair = math.ceil(len(rows) / (len(others) + 1))
    free = sorted(
        (row.shard for row in rows if not row.held and row.shard not in reserved),
        key=lambda shard: crc32(f"{owner} {shard}".encode()),
    )
    if free:
        at_once = free[: max(fair - mine, 0)]
        return Move(take=(*at_once, *(shard for shard in free[len(at_once) :] if shard in waited)))
    return Move(ask=_wanted(rows, owner, held, mine) if may_ask else None)


def sought(rows: Sequence[Row], owner: str, epochs: Mapping[str, int]) -> list[str]:
    """Rows that are *owner*'s still under a later epoch than it had, by *epochs*: an operator moved them.

    Nobody else may have them before they expire, and then its owner would look lost.
    """
    return [row.shard for row in rows if row.held and row.owner == owner and row.epoch > epochs.get(row.shard, -1)]


def _wanted(rows: Sequence[Row], owner: str, held: Counter[str | None], mine: int) -> str | None:
    if any(row.asked == owner for row in rows if row.held):
        return None
    busy = {row.owner for row in rows if row.held and row.asked is not None}
    rich = [(count, str(other)) for other, count in held.items() if count >= mine + UNEVEN and other not in busy]
    if not rich:
        return None
    _, richest = max(rich)
    return min(
        (row.shard for row in rows if row.held and row.owner == richest), key=lambda shard: crc32(shard.encode())
    )
