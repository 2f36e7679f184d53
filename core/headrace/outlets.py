"""All destinations that a lane's records are told to: the first rule that fits says which, and each must confirm."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from headrace.classes import classify
from headrace.destination import CONFIRMED, SUCCESS, FailureClass, Reply, Said
from headrace.model import Keep, Record
from headrace.outgoing import Outgoing
from headrace.outlet import Outlet


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where those go that fit: to all of its outlets. `classes` of failure and `wanted` records; None: any."""

    outlets: Sequence[Outlet]
    classes: frozenset[FailureClass] | None = None
    wanted: Keep | None = None

    def takes(self, record: Record, failed: FailureClass | None) -> bool:
        if self.classes is not None and failed not in self.classes:
            return False
        return self.wanted is None or self.wanted(record)


@dataclass(frozen=True, slots=True)
class Outlets:
    """Tells each record to every outlet of its way; those that have confirmed one are not told of it again.

    The last of *ways* takes every record. A record about a log names a range, so where others go another way, each run
    of neighbours is told by itself: no range has what is not its own.
    """

    ways: Sequence[Way]

    async def __call__(self, gone: Outgoing) -> Sequence[Reply]:
        """A reply for each of the records: the worst that its outlets gave."""
        failed = None if gone.reason == SUCCESS else classify(gone)
        replies: dict[int, Reply] = {}
        for place, way in enumerate(self.ways):
            some = [one for one in gone.records if id(one) not in replies and way.takes(one, failed)]
            if some:
                labels = [f"{place}.{number} {each.destination.name}" for number, each in enumerate(way.outlets)]
                told = await asyncio.gather(
                    *[self._tell(each, label, some, gone) for each, label in zip(way.outlets, labels, strict=True)]
                )
                replies |= {id(one): _worst([each[id(one)] for each in told]) for one in some}
        confirmed = [one for one in gone.records if replies[id(one)].said is Said.CONFIRMED]
        gone.taken.update([(id(self), one.number) for one in confirmed])  # where the next try has a gap
        return [replies[id(one)] for one in gone.records]

    async def _tell(self, outlet: Outlet, label: str, some: Sequence[Record], gone: Outgoing) -> dict[int, Reply]:
        """*label* says which outlet it is, in another process too."""
        left = [one for one in some if (label, id(one)) not in gone.taken]
        said = dict.fromkeys(map(id, some), CONFIRMED)
        for piece in [left] if outlet.apart or outlet.whole or outlet.singly else self._runs(left, gone):
            replies = await outlet(replace(gone, records=piece)) if piece else []
            for record, reply in zip(piece, replies, strict=True):
                said[id(record)] = reply
                if reply.said is Said.CONFIRMED:
                    gone.taken.add((label, id(record)))
        return said

    def _runs(self, some: Sequence[Record], gone: Outgoing) -> Sequence[Sequence[Record]]:
        """*some* of a log's records, parted where another of them stands between, or stood at an earlier try."""
        places = {id(one): place for place, one in enumerate(gone.records)}
        runs = [[one] for one in some[:1]]
        for before, one in pairwise(some):
            gap = places[id(one)] - places[id(before)] > 1
            if gap or any((id(self), number) in gone.taken for number in range(before.number + 1, one.number)):
                runs.append([])
            runs[-1].append(one)
        return runs


_RANK = {Said.CONFIRMED: 0, Said.FAILED: 1, Said.REFUSED: 2}


def _worst(replies: Sequence[Reply]) -> Reply:
    return max(replies, key=lambda reply: _RANK[reply.said])
