"""The shard graph: what is written first, what is added and removed, which shards may be read. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from headrace.ledger import Graph, Lease, Row, Shard
from headrace.model import Position
from headrace.shards import Listable, Listed, Listing

Where: TypeAlias = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream is read from when nothing is remembered; `time` in Unix seconds, for AT_TIMESTAMP."""

    where: Where
    time: float = 0.0


def first(listing: Listing, start: Start, shards: Listable) -> list[Shard]:
    """The rows of a first start.

    LATEST is made concrete here, by the server's own time, before anything is read: so it outlives a crash, whether or
    not a record ever comes. Closed shards have nothing later, but under AT_TIMESTAMP they are read: one that ended
    before is found empty.
    """
    if start.where == "TRIM_HORIZON":
        position = shards.beginning
    else:
        position = shards.at(start.time if start.where == "AT_TIMESTAMP" else listing.now)
    return [
        Shard(
            name=one.name,
            position=position,
            parents=one.parents,
            ended=one.closed and start.where == "LATEST",
        )
        for one in listing.shards
    ]


def missing(listed: Iterable[Listed], graph: Graph, beginning: Position) -> list[Shard]:
    """Rows for shards that came after the first start: read from their own beginning, whatever the start was."""
    known = {row.shard for row in graph.rows}
    return [Shard(name=one.name, position=beginning, parents=one.parents) for one in listed if one.name not in known]


def orphans(listed: Iterable[Listed], graph: Graph) -> bool:
    """True when a parent of one of them has no row: only a whole listing tells whether it is read or gone."""
    known = {row.shard for row in graph.rows}
    return any(parent not in known for one in listed for parent in one.parents)


def unread_parents(row: Row, rows: Mapping[str, Row]) -> list[str]:
    """Those parents that are not read to their end; one without a row had gone before the graph was written."""
    return [parent for parent in row.parents if parent in rows and not rows[parent].ended]


def readable(graph: Graph) -> list[Row]:
    """Rows that are to be read now: after all their parents."""
    rows = {row.shard: row for row in graph.rows}
    return [row for row in graph.rows if not row.ended and not unread_parents(row, rows)]


def without_children(graph: Graph) -> bool:
    """True when a shard has ended whose children are not known: they may not have been listed yet."""
    parents = {parent for row in graph.rows for parent in row.parents}
    return any(row.ended and row.shard not in parents for row in graph.rows)


def outlived(listing: Listing, graph: Graph, beginning: Position) -> list[str]:
    """Ended rows that the listing no longer shows, and whose children have all begun."""
    listed = {one.name for one in listing.shards}
    children: dict[str, list[Row]] = {}
    for row in graph.rows:
        for parent in row.parents:
            children.setdefault(parent, []).append(row)
    return [
        row.shard
        for row in graph.rows
        if row.ended
        and row.shard not in listed
        and all(_has_begun(child, beginning) for child in children.get(row.shard, []))
    ]


def _has_begun(row: Row, beginning: Position) -> bool:
    return row.ended or row.owner is not None or row.position != beginning


@dataclass(frozen=True, slots=True)
class Kept:
    """What a worker knows of a row that it holds: its last committed position, under its own epoch."""

    position: Position
    memo: bytes | None
    epoch: int


def went_back(known: Graph, found: Graph, held: Mapping[str, Kept]) -> list[Row]:
    """Rows to be written back, when the store has lost them or has an older copy of them.

    Those of *held* go as the worker committed them last, an epoch above its own, so that nothing written under the old
    one, from whatever copy, counts any more; the others as they were last seen.
    """
    there = {row.shard: row.epoch for row in found.rows}
    return [row for row in _last_known(known, held) if there.get(row.shard, -1) < row.epoch or row.shard not in there]


def is_older(known: Graph, found: Graph) -> bool:
    """True when *found* lacks rows of *known*, or has them under lower epochs: a store only goes forward.

    A row that had ended may have been removed; a graph of another generation is another graph.
    """
    if known.generation != found.generation:
        return False
    there = {row.shard: row.epoch for row in found.rows}
    return any(there[row.shard] < row.epoch if row.shard in there else not row.ended for row in known.rows)


def taken(known: Graph | None, lease: Lease) -> Graph | None:
    """*known* with the epoch of a lease that was given since it was read: a store with a lower one has gone back."""
    if known is None:
        return None
    rows = (replace(row, epoch=max(row.epoch, lease.epoch)) if row.shard == lease.shard else row for row in known.rows)
    return replace(known, rows=tuple(rows))


def seekable(graph: Graph, listed: Collection[str] | None) -> list[Row]:
    """Rows that a seek of a whole stream moves: all but those that were read to their end and are listed no more.

    Nothing is left in these to read again, and a reader would take that for a loss. *listed* is None where nobody can
    say what is listed.
    """
    return [row for row in graph.rows if not row.ended or listed is None or row.shard in listed]


def moved(known: Graph | None, lease: Lease) -> bool:
    """True when *lease* is not the next of its row as it was seen: an operator, or another owner, was there meanwhile.

    A row that its owner holds still is given to it under the same epoch.
    """
    rows = known.rows if known else ()
    return any(row.shard == lease.shard and lease.epoch != row.epoch + (not row.held) for row in rows)


def _last_known(known: Graph, held: Mapping[str, Kept]) -> Iterator[Row]:
    for row in known.rows:
        mine = held.get(row.shard)
        if mine is None:
            yield replace(row, owner=None, left=0.0, asked=None)
        else:
            yield replace(
                row, position=mine.position, memo=mine.memo, epoch=mine.epoch + 1, owner=None, left=0.0, asked=None
            )
