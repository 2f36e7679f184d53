"""What was put into the queue and has not ended yet: kept by who put it, as a store may lose its queue. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from headrace_connectors.schedule.instants import call_id
from headrace_connectors.schedule.missed import Missed
from headrace_connectors.schedule.remembered import Remembered, read, write


def ids(known: Mapping[str, Remembered]) -> list[str]:
    """Of every call that is kept."""
    return [call_id(name, at) for name, one in known.items() for at in one.unsettled]


def waits(known: Mapping[str, Remembered]) -> bool:
    """Whether any may end: one that was lost does not, until it is put again."""
    return any((one.unsettled or one.older) and not one.queue_lost for one in known.values())


def without_ended(
    known: Mapping[str, Remembered], there: Collection[str], counts: Mapping[str, int]
) -> dict[str, Remembered]:
    """*known* less what is not *there* any more; *counts* are of all that is in the queue, by schedule."""
    return {name: _less(one, name, there, counts.get(name, 0)) for name, one in known.items()}


def _less(one: Remembered, name: str, there: Collection[str], count: int) -> Remembered:
    if one.queue_lost:  # then what is not there has not ended
        return one
    kept = tuple(at for at in one.unsettled if call_id(name, at) in there)
    return replace(one, unsettled=kept, older=max(0, min(one.older, count - len(kept))))


def lost(position: str) -> str:
    """A bucket's position as it is written back to a store that was emptied, or is an older copy, as its queue is."""
    known = read(position)
    return write({name: replace(one, queue_lost=bool(one.unsettled or one.older)) for name, one in known.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What becomes of what was in a queue that was lost: `again` is to be put again, `missed` is gone."""

    remembered: Remembered
    again: tuple[datetime, ...]
    missed: tuple[Missed, ...]


def mend(name: str, one: Remembered, there: Collection[str], count: int) -> Mended:
    """*there* are the calls that the queue has none the less, and *count* all of the schedule that it has.

    Those that were too old to be kept are known by their number alone: they are told as up to the first that was kept.
    """
    again = tuple(at for at in one.unsettled if call_id(name, at) not in there)
    gone = max(0, one.older - max(0, count - len(one.unsettled) + len(again)))
    until = one.unsettled[0] if one.unsettled else one.last
    missed = (Missed(until, until, gone, "state_lost"),) if gone else ()
    mended = replace(one, queue_lost=False, older=one.older - gone).after(one.last, missed)
    return Mended(remembered=mended, again=again, missed=missed)
