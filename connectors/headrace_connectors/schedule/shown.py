"""What the ledger remembers of schedules, for people and programs: one row a schedule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from headrace.invocations import Run
from headrace.ledger import Ledger, Row
from headrace.plugins import Opening
from headrace_connectors.schedule.definition import Definition, Parse, definitions
from headrace_connectors.schedule.expression import parse
from headrace_connectors.schedule.instants import utc
from headrace_connectors.schedule.remembered import read, recalled


async def rows(opening: Opening, ledger: Ledger, parse: Parse = parse) -> Sequence[Mapping[str, Any]]:
    """By column. Times are ISO 8601 in UTC.

    Raises:
        LedgerError: it cannot be asked.
    """
    known = list(definitions(opening.options.each(opening.mapping), opening, parse).values())
    graph = await ledger.rows(opening.mapping)
    buckets = {row.shard: row for row in graph.rows}
    notes = await ledger.notes(opening.mapping)
    unfinished = await ledger.unfinished(opening.mapping, [one.name for one in known])
    now = datetime.fromtimestamp(await ledger.now(), UTC)
    return [
        {
            "schedule": one.name,
            **_told(one, buckets.get(one.bucket), notes.get(one.name), unfinished.get(one.name, 0), now),
            "state": "paused" if graph.paused else _state(buckets.get(one.bucket)),
        }
        for one in known
    ]


def _state(bucket: Row | None) -> str:
    if bucket is None:
        return "never begun"
    return f"fired by {bucket.owner}" if bucket.held else "no owner"


def _told(
    definition: Definition, bucket: Row | None, note: str | None, unfinished: int, now: datetime
) -> dict[str, Any]:
    """The newest occurrence that fired, the last run that ended, the next occurrence, and those that were missed."""
    known = read(bucket.position if bucket else "")
    found, run = recalled(known, definition, now), _read(note)
    after = max(found.last, now) if definition.name in known else found.last
    coming = next(definition.timetable(found.anchor).occurrences(after), None)
    fired = max([*found.unsettled[-1:], *([_planned(run)] if run else [])], default=None)
    return {
        "fired": fired and utc(fired),
        **_last(run),
        "unfinished": unfinished,
        "next": coming and utc(coming),
        "missed": found.missed,
        "missed last": found.missed_at and utc(found.missed_at),
        "why": found.missed_why or None,
    }


def _read(note: str | None) -> Run | None:
    if note is None:
        return None
    told = json.loads(note)  # a newer headrace may tell more
    return Run(**{one.name: told[one.name] for one in fields(Run)})


def _planned(run: Run) -> datetime:
    return datetime.fromisoformat(run.id.rpartition("@")[2])


def _last(run: Run | None) -> dict[str, Any]:
    """How it ended."""
    if run is None:
        return {"last": None, "outcome": None, "seconds": None}
    outcome = f"failed after {run.attempt} attempts: {run.error}" if run.error else "succeeded"
    return {"last": utc(_planned(run)), "outcome": outcome, "seconds": round(run.seconds, 3)}
