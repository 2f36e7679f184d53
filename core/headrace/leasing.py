"""What each verb of a ledger does to a row: pure, for the stores that can run Python inside their transaction.

`Row.left` is relative to the moment of the decision, so none of these needs a clock. None means: refused, write
nothing. The Redis ledger says the same in Lua; one contract test and one model hold both.
"""

from __future__ import annotations

from dataclasses import replace

from headrace.ledger import Lease, Mark, Row, Shard
from headrace.model import KEEP, Position, Unchanged


def begin(shard: Shard, epoch: int) -> Row:
    return Row(
        shard=shard.name, position=shard.position, parents=shard.parents, ended=shard.ended, epoch=epoch, idle=0.0
    )


def restore(row: Row | None, known: Row) -> Row | None:
    """Nobody's: whoever held it here has a lease of a lower epoch."""
    if row is not None and row.epoch >= known.epoch:
        return None
    return Row(
        shard=known.shard,
        position=known.position,
        parents=known.parents,
        ended=known.ended,
        epoch=known.epoch,
        memo=known.memo,
        idle=0.0,
    )


def acquire(row: Row, owner: str, ttl: float) -> Row | None:
    if row.ended or (row.held and row.owner != owner):
        return None
    if row.held:
        return replace(row, left=ttl)
    crashed = row.owner not in {None, owner}
    return replace(row, owner=owner, epoch=row.epoch + 1, left=ttl, crashes=row.crashes + crashed, asked=None, state="")


def lease(mapping: str, row: Row) -> Lease:
    """The lease on a row that was just acquired."""
    return Lease(
        mapping=mapping,
        shard=row.shard,
        owner=row.owner or "",
        epoch=row.epoch,
        position=row.position,
        memo=row.memo,
        crashes=row.crashes,
        mark=row.mark,
    )


def _matches(row: Row, lease: Lease) -> bool:
    return row.owner == lease.owner and row.epoch == lease.epoch


def renew(row: Row, lease: Lease, state: str, ttl: float) -> Row | None:
    return replace(row, left=ttl, state=state) if row.held and _matches(row, lease) else None


def commit(row: Row, lease: Lease, position: Position, memo: bytes | Unchanged | None, *, end: bool) -> Row | None:
    """An ended row keeps its last owner, so that the write that ended it may be repeated."""
    if not _matches(row, lease):
        return None
    if row.ended:
        return row if end and position == row.position else None
    if not row.held:
        return None
    moved = position != row.position
    return replace(
        row,
        position=position,
        memo=row.memo if memo is KEEP else memo,
        ended=end,
        crashes=0 if moved else row.crashes,
        mark=None if moved else row.mark,
        idle=0.0 if end else row.idle,
    )


def mark(row: Row, lease: Lease, mark: Mark) -> Row | None:
    return replace(row, mark=mark) if row.held and _matches(row, lease) else None


def release(row: Row, lease: Lease) -> Row | None:
    """The row of a repeated release is nobody's already, and of the same epoch."""
    if row.epoch != lease.epoch or row.owner not in {None, lease.owner}:
        return None
    if row.ended or row.owner is None:
        return row
    return replace(row, owner=None, left=0.0, asked=None, state="", idle=0.0)


def ask(row: Row, by: str) -> Row | None:
    return replace(row, asked=by) if row.held and row.owner != by and row.asked in {None, by} else None


def seek(row: Row, position: Position) -> Row:
    """Only a living lease keeps its owner: one that is dead or done was not lost at the new position."""
    owner = row.owner if row.held else None
    return replace(
        row, position=position, owner=owner, epoch=row.epoch + 1, ended=False, memo=None, crashes=0, mark=None, idle=0.0
    )
