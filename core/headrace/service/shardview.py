"""The view of a stream's shards as plain data, from the ledger: every copy's, and those that nobody has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headrace import graph
from headrace.doing import words
from headrace.ledger import Graph, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardView:
    """One shard. `since` is Unix time, 0 where unknown; lags are None where unknown, in records and seconds.

    What the owner tells (state, reason, since, lag_seconds, held) is as of its last renewal.
    """

    shard: str
    state: str
    reason: str
    since: float
    owner: str | None
    epoch: int
    position: str
    lag_records: int | None
    lag_seconds: float | None
    held: int
    crashes: int


def shard_views(found: Graph, now: float) -> list[ShardView]:
    """In the order of the graph, as of Unix time *now*."""
    rows = {row.shard: row for row in found.rows}
    return [_view(row, rows, now, paused=found.paused) for row in found.rows]


def _view(row: Row, rows: dict[str, Row], now: float, *, paused: bool) -> ShardView:
    told = words(row.state) if row.held else None
    state, reason = (_word(told.state), told.reason) if told else _state(row, rows, paused=paused)
    return ShardView(
        shard=row.shard,
        state=state,
        reason="; ".join(filter(None, (reason, *_notes(row, paused=paused)))),
        since=told.since if told else _since(row, now),
        owner=row.owner if row.held else None,
        epoch=row.epoch,
        position=row.position,
        lag_records=None,
        lag_seconds=told.behind if told else None,
        held=told.held if told else 0,
        crashes=row.crashes,
    )


def _since(row: Row, now: float) -> float:
    """When it was let go of, or its owner was lost; 0: before this machine was started again, or unknown."""
    if row.owner is not None and not row.ended:
        return 0.0 if row.left >= 0 else now + row.left
    return 0.0 if row.idle is None else now - row.idle


def _word(state: str) -> str:
    """A lane that polls is a shard that is read."""
    return "reading" if state == "polling" else state


def _state(row: Row, rows: dict[str, Row], *, paused: bool) -> tuple[str, str]:
    """What the ledger alone shows."""
    if row.ended:
        return "ended", ""
    if row.held:
        return "reading", "just taken"
    if paused:
        return "paused", ""
    if parents := graph.unread_parents(row, rows):
        return "waiting", f"for parent {', '.join(parents)}"
    if row.owner is None:
        return "no owner", "let go, or never taken"
    ago = f" {-row.left:.0f} s ago" if row.left < 0 else ""  # 0: before this machine was started again
    return "no owner", f"{row.owner} was lost{ago}"


def _notes(row: Row, *, paused: bool) -> Iterator[str]:
    """What an operator is to know beside the state."""
    if row.held and paused:
        yield "to be paused: finishes what it has at its handler"
    elif row.held and row.asked:
        yield f"to be handed over to {row.asked}"
    if row.crashes and not row.ended:
        yield f"{row.crashes} owner{'s' * (row.crashes > 1)} lost in a row at this position"
