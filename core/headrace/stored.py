"""A ledger over any store that can run Python inside its transaction: read rows, decide, write them."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from headrace import leasing
from headrace.calls import Call
from headrace.errors import GraphChanged, UnknownShards
from headrace.ledger import Graph, Lease, Mark, Renewal, Row, Shard
from headrace.model import KEEP, LaneLost, Position, Unchanged
from headrace.storedcalls import CallRows, StoredCalls, accept
from headrace.storedoutcomes import OutcomeRows, StoredOutcomes
from headrace.storedverdicts import StoredVerdicts, VerdictRows

T = TypeVar("T")


class Rows(CallRows, VerdictRows, OutcomeRows, Protocol):
    """What a transaction can reach. Rows come with `left` as of now, and are written with it as from now."""

    def set_head(self, mapping: str, head: Graph) -> None: ...

    def row(self, mapping: str, shard: str) -> Row | None: ...

    def rows(self, mapping: str) -> Iterable[Row]:
        """In the order in which they were first written."""
        ...

    def put(self, mapping: str, row: Row) -> None: ...

    def drop(self, mapping: str, shard: str) -> None: ...


class StoredLedger(StoredCalls, StoredVerdicts, StoredOutcomes):
    """A `Ledger` for whose verbs a store has only to say how a transaction is run."""

    @abstractmethod
    async def _run(self, work: Callable[[Rows], T]) -> T:
        """Run *work* alone and whole: what it wrote is durable when this returns, and gone when it raises."""

    async def _look(self, work: Callable[[Rows], T]) -> T:
        """Run *work*, which only reads: a store that can do that for less does so here."""
        return await self._run(work)

    @abstractmethod
    async def close(self) -> None: ...

    async def plan(self, mapping: str, identity: str, shards: Sequence[Shard]) -> bool:
        generation = secrets.token_hex(8)

        def work(rows: Rows) -> bool:
            head = rows.head(mapping)
            if head.generation is not None:
                return head.generation == generation
            rows.set_head(mapping, replace(head, identity=identity, generation=generation))
            for shard in shards:
                rows.put(mapping, leasing.begin(shard, head.epoch))
            return True

        return await self._run(work)

    async def add(self, mapping: str, identity: str, shards: Sequence[Shard]) -> frozenset[str]:
        def work(rows: Rows) -> frozenset[str]:
            head = rows.head(mapping)
            if head.identity != identity:
                raise graph_changed(mapping, identity, head.identity)
            new = [shard for shard in shards if rows.row(mapping, shard.name) is None]
            for shard in new:
                rows.put(mapping, leasing.begin(shard, head.epoch))
            return frozenset(shard.name for shard in new)

        return await self._run(work)

    async def forget(self, mapping: str, shards: Sequence[str]) -> frozenset[str]:
        def work(rows: Rows) -> frozenset[str]:
            gone = {name: row.epoch for name in shards if (row := rows.row(mapping, name)) and row.ended}
            if gone:
                head = rows.head(mapping)
                rows.set_head(mapping, replace(head, epoch=max(head.epoch, 1 + max(gone.values()))))
            for name in gone:
                rows.drop(mapping, name)
            return frozenset(gone)

        return await self._run(work)

    async def replan(self, mapping: str, generation: str, identity: str, shards: Sequence[Shard]) -> bool:
        new = secrets.token_hex(8)

        def work(rows: Rows) -> bool:
            head = rows.head(mapping)
            if head.generation != generation:
                return head.generation == new
            epochs = {row.shard: row.epoch for row in rows.rows(mapping)}
            epoch = 1 + max([head.epoch, *epochs.values()])
            rows.set_head(mapping, replace(head, identity=identity, generation=new, epoch=epoch))
            for name in epochs:
                rows.drop(mapping, name)
            rows.clear_outcomes(mapping)
            for shard in shards:
                begins = 1 + epochs[shard.name] if shard.name in epochs else epoch
                rows.put(mapping, leasing.begin(shard, begins))
            return True

        return await self._run(work)

    async def restore(self, mapping: str, identity: str, generation: str, rows: Sequence[Row]) -> frozenset[str]:
        known = rows

        def work(rows: Rows) -> frozenset[str]:
            head = rows.head(mapping)
            if head.generation not in {None, generation}:
                raise generation_changed(mapping, generation, head.generation)
            rows.set_head(mapping, replace(head, identity=identity, generation=generation))
            written = [row for each in known if (row := leasing.restore(rows.row(mapping, each.shard), each))]
            for row in written:
                rows.put(mapping, row)
            return frozenset(row.shard for row in written)

        return await self._run(work)

    async def rows(self, mapping: str) -> Graph:
        return await self._look(lambda rows: replace(rows.head(mapping), rows=tuple(rows.rows(mapping))))

    async def acquire(self, mapping: str, shard: str, owner: str, ttl: float) -> Lease | None:
        def work(rows: Rows) -> Lease | None:
            row = _changed(rows, mapping, shard, lambda row: leasing.acquire(row, owner, ttl))
            return leasing.lease(mapping, row) if row else None

        return await self._run(work)

    async def renew(self, leases: Mapping[Lease, str], ttl: float) -> Renewal:
        def work(rows: Rows) -> Renewal:
            lost, asked = set(), {}
            for lease, state in leases.items():
                row = _changed(
                    rows, lease.mapping, lease.shard, partial(leasing.renew, lease=lease, state=state, ttl=ttl)
                )
                if row is None:
                    lost.add(lease)
                elif row.asked is not None:
                    asked[lease] = row.asked
            heads = {mapping: rows.head(mapping) for mapping in {lease.mapping for lease in leases}}
            return Renewal(
                lost=frozenset(lost),
                asked=asked,
                paused=frozenset(mapping for mapping, head in heads.items() if head.paused),
                generations={mapping: head.generation for mapping, head in heads.items()},
            )

        return await self._run(work)

    async def commit(
        self,
        lease: Lease,
        position: Position,
        *,
        memo: bytes | Unchanged | None = KEEP,
        end: bool = False,
        calls: Sequence[Call] = (),
        after: Position | None = None,
    ) -> None:
        def work(rows: Rows) -> Row | None:
            before = rows.row(lease.mapping, lease.shard)
            if before is None or (after not in {None, before.position} and position != before.position):
                return None
            row = leasing.commit(before, lease, position, memo, end=end)
            if row:
                rows.put(lease.mapping, row)
                if row.position != before.position:
                    accept(rows, lease.mapping, calls)
            return row

        _unless_lost(await self._run(work), lease)

    async def mark(self, lease: Lease, mark: Mark) -> None:
        await self._written(lease, lambda row: leasing.mark(row, lease, mark))

    async def release(self, lease: Lease) -> None:
        await self._written(lease, lambda row: leasing.release(row, lease))

    async def ask(self, mapping: str, shard: str, by: str) -> bool:
        return bool(await self._run(lambda rows: _changed(rows, mapping, shard, lambda row: leasing.ask(row, by))))

    async def seek(self, mapping: str, positions: Mapping[str, Position]) -> None:
        def work(rows: Rows) -> None:
            found = {shard: row for shard in positions if (row := rows.row(mapping, shard))}
            if len(found) < len(positions):
                raise UnknownShards(mapping, sorted(positions.keys() - found.keys()))
            for shard, row in found.items():
                rows.put(mapping, leasing.seek(row, positions[shard]))
                rows.clear_outcomes(mapping, shard)

        await self._run(work)

    async def pause(self, mapping: str, *, paused: bool) -> None:
        await self._run(lambda rows: rows.set_head(mapping, replace(rows.head(mapping), paused=paused)))

    async def _written(self, lease: Lease, change: Callable[[Row], Row | None]) -> None:
        _unless_lost(await self._run(lambda rows: _changed(rows, lease.mapping, lease.shard, change)), lease)


def _unless_lost(row: Row | None, lease: Lease) -> None:
    if row is None:
        raise lane_lost(lease)


def _changed(rows: Rows, mapping: str, shard: str, change: Callable[[Row], Row | None]) -> Row | None:
    """The row after *change*, written; None when there is none, or the change is refused."""
    row = rows.row(mapping, shard)
    after = change(row) if row else None
    if after is not None:
        rows.put(mapping, after)
    return after


def lane_lost(lease: Lease) -> LaneLost:
    """What a fenced write raises, in every store."""
    return LaneLost(
        f"{lease.mapping}, shard {lease.shard}: epoch {lease.epoch} of {lease.owner} has expired, or was followed"
    )


def graph_changed(mapping: str, identity: str, found: str | None) -> GraphChanged:
    """What `add` raises, in every store."""
    there = f"that of {found}" if found else "none"
    return GraphChanged(f"{mapping}: the ledger's graph is {there}, and not of {identity}: nothing was added")


def generation_changed(mapping: str, generation: str, found: str | None) -> GraphChanged:
    """What `restore` raises, in every store."""
    return GraphChanged(
        f"{mapping}: the ledger's graph is of generation {found}, and not of {generation}: nothing was restored"
    )
