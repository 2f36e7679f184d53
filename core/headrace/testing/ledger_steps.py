# ruff: noqa: S101 - as the suites that use it
"""What the parts of the ledgers' suite share: a graph, the fenced verbs, and steps that several tests take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from headrace.ledger import Lease, Ledger, Mark, Row, Shard
from headrace.model import LaneLost

LONG = 600.0
SHORT = 0.3
"""Seconds: a lease that no test outlives, and one that every test can."""

GRAPH = [
    Shard(name="a", position="TRIM_HORIZON", ended=True),
    Shard(name="b", position="at:2"),
    Shard(name="c/:é ", position="start", parents=("a", "b")),
]

FENCED: dict[str, Callable[[Ledger, Lease], Awaitable[None]]] = {
    "commit": lambda ledger, lease: ledger.commit(lease, "9", memo=b"theirs"),
    "end": lambda ledger, lease: ledger.commit(lease, "9", end=True),
    "mark": lambda ledger, lease: ledger.mark(lease, Mark(position="9", attempt=9)),
    "release": lambda ledger, lease: ledger.release(lease),
}
"""The verbs that write under a lease."""


class LedgerSteps:
    """Steps of tests on a mapping named `orders`."""

    async def taken(
        self, ledger: Ledger, shard: str, owner: str = "w", *, mapping: str = "orders", ttl: float = LONG
    ) -> Lease:
        lease = await ledger.acquire(mapping, shard, owner, ttl)
        assert lease is not None
        assert (lease.mapping, lease.shard, lease.owner) == (mapping, shard, owner)
        return lease

    async def row(self, ledger: Ledger, shard: str) -> Row:
        return next(row for row in (await ledger.rows("orders")).rows if row.shard == shard)

    async def refused(self, ledger: Ledger, verb: str, lease: Lease) -> None:
        """All but the time that is left is as it was."""
        before = _timeless((await ledger.rows("orders")).rows)
        with pytest.raises(LaneLost):
            await FENCED[verb](ledger, lease)
        assert _timeless((await ledger.rows("orders")).rows) == before


def _timeless(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    return [
        (row.shard, row.position, row.ended, row.owner, row.epoch, row.held, row.memo, row.crashes, row.mark, row.asked)
        for row in rows
    ]
