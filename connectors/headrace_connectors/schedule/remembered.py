"""What a bucket remembers of its schedules: the text that is its position in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from headrace_connectors.schedule.definition import Definition
from headrace_connectors.schedule.missed import Missed
from headrace_connectors.schedule.rate import Rate
from headrace_connectors.schedule.timetable import INSTANT

KEPT: Final = 100
"""Calls of one schedule that are kept while they have not ended: as many as it catches up, unless more is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Of one schedule.

    Attributes:
        digest: of the definition that it was made for.
        anchor: when that was first seen.
        last: every occurrence at and before it has been decided on.
        missed, missed_at, missed_why: how many did not fire, the last of them, and the setting by which it did not.
        unsettled: those that were put into the queue and, as far as is known, have not ended: the newest, ascending.
        older: how many more there are, that came before them.
        queue_lost: the store was, since then: what is not in the queue has not ended, but is gone.
    """

    digest: str
    anchor: datetime
    last: datetime
    missed: int = 0
    missed_at: datetime | None = None
    missed_why: str = ""
    unsettled: tuple[datetime, ...] = ()
    older: int = 0
    queue_lost: bool = False

    def after(self, last: datetime, missed: Sequence[Missed], fired: Sequence[datetime] = ()) -> Remembered:
        """The same once all up to *last* is decided on: *missed* of it do not fire, and *fired* do."""
        unsettled = (*self.unsettled, *fired)
        known = replace(
            self,
            last=last,
            missed=self.missed + sum(run.count for run in missed),
            unsettled=unsettled[-KEPT:],
            older=self.older + max(0, len(unsettled) - KEPT),
        )
        return replace(known, missed_at=missed[-1].last, missed_why=missed[-1].reason) if missed else known


def begin(definition: Definition, now: datetime) -> Remembered:
    """A schedule that is new, or was changed: its next occurrence is the first after *now*.

    A rate of Scheduler's without a start date fires at once.
    """
    rate, anchor = definition.expression, now.replace(microsecond=0)
    at_once = isinstance(rate, Rate) and rate.at_once and definition.settings.start_date is None
    return Remembered(digest=definition.digest, anchor=anchor, last=anchor - INSTANT if at_once else now)


def recalled(
    known: Mapping[str, Remembered], definition: Definition, now: datetime, since: datetime | None = None
) -> Remembered:
    """What is known of it, unless it was defined anew since.

    One that nobody ever saw begins at *since*, when this process did: what comes due before it holds the bucket, as
    another does whose config has not this schedule, is none the less this one's.
    """
    found = known.get(definition.name)
    if found is None:
        return begin(definition, since or now)
    if found.digest == definition.digest:
        return found
    return replace(
        begin(definition, now), unsettled=found.unsettled, older=found.older, queue_lost=found.queue_lost
    )  # what fired before it was changed is run all the same


def read(position: str) -> dict[str, Remembered]:
    """By name; of a bucket that was never written nothing."""
    return {name: _read(one) for name, one in json.loads(position or "{}").items()}


def write(known: Mapping[str, Remembered]) -> str:
    return json.dumps({name: _plain(one) for name, one in known.items()}, separators=(",", ":"))


def _read(one: Mapping[str, Any]) -> Remembered:
    """As `_plain` wrote it."""
    times = {name: datetime.fromisoformat(one[name]) for name in ("anchor", "last", "missed_at") if one.get(name)}
    unsettled = tuple(map(datetime.fromisoformat, one.get("unsettled", ())))
    return Remembered(**{**one, **times, "unsettled": unsettled})


def _plain(one: Remembered) -> dict[str, object]:
    """What is not as it is at first; a bucket is written whole whenever something in it fires."""
    kept: dict[str, object] = {"digest": one.digest, "anchor": one.anchor.isoformat(), "last": one.last.isoformat()}
    if one.missed_at is not None:
        kept |= {"missed": one.missed, "missed_at": one.missed_at.isoformat(), "missed_why": one.missed_why}
    if one.unsettled:
        kept["unsettled"] = [at.isoformat() for at in one.unsettled]
    return kept | {name: value for name in ("older", "queue_lost") if (value := getattr(one, name))}
