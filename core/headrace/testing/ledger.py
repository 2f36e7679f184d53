# ruff: noqa: S101, PLR2004 - this is a suite: it asserts, and the expected number is the point of a test
"""What every ledger must do: a suite for the authors of stores.

```python
class TestMyLedger(LedgerConformance):
    @pytest.fixture
    async def ledger(self, server) -> AsyncIterator[Ledger]:
        yield await open_mine(LedgerOpening(url=server.url, service=unique_name()))
```

The fixture gives an empty one. Time is the loop's own, as in `conformance`. Needs pytest.
"""

from __future__ import annotations

import asyncio

import pytest

from headrace.errors import UnknownShards
from headrace.ledger import Lease, Ledger, Mark, Renewal
from headrace.model import LaneLost
from headrace.testing.ledger_graph import LedgerGraphConformance
from headrace.testing.ledger_steps import FENCED, GRAPH, LONG, SHORT


class LedgerConformance(LedgerGraphConformance):
    """Subclass it and give a fixture `ledger`. Here are the leases; what becomes of whole graphs is inherited."""

    async def test_mappings_are_apart(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        assert await ledger.plan("refunds", "stream", GRAPH)
        first, second = await self.taken(ledger, "b"), await self.taken(ledger, "b", mapping="refunds")
        await ledger.commit(first, "7")
        await ledger.pause("orders", paused=True)
        graph = await ledger.rows("refunds")
        assert (graph.rows[1].position, graph.paused) == ("at:2", False)
        renewal = await ledger.renew({first: "", second: ""}, LONG)
        assert renewal.paused == {"orders"}
        assert renewal.generations["refunds"] == graph.generation

    async def test_of_many_workers_one_has_the_lease(self, ledger: Ledger) -> None:
        """Catches: a look and a write in two steps."""
        await ledger.plan("orders", "stream", GRAPH)
        leases = await asyncio.gather(*(ledger.acquire("orders", "b", f"w{n}", LONG) for n in range(20)))
        (lease,) = [lease for lease in leases if lease]
        row = await self.row(ledger, "b")
        assert (row.owner, row.epoch, row.held, row.crashes) == (lease.owner, 1, True, 0)
        assert lease.epoch == 1
        assert 0 < row.left <= LONG

    async def test_what_is_ended_or_unknown_is_not_given(self, ledger: Ledger) -> None:
        assert await ledger.acquire("orders", "b", "w", LONG) is None
        await ledger.plan("orders", "stream", GRAPH)
        assert await ledger.acquire("orders", "a", "w", LONG) is None
        assert await ledger.acquire("orders", "x", "w", LONG) is None
        assert len((await ledger.rows("orders")).rows) == 3

    async def test_an_owner_that_asks_again_has_the_same_lease(self, ledger: Ledger) -> None:
        """An answer may be lost. Catches: a repeat that raises the epoch, or is refused, or does not prolong."""
        await ledger.plan("orders", "stream", GRAPH)
        first = await ledger.acquire("orders", "b", "w", 60.0)
        assert await ledger.acquire("orders", "b", "w", LONG) == first
        assert (await self.row(ledger, "b")).left > 60

    async def test_what_was_committed_is_handed_on(self, ledger: Ledger) -> None:
        """Catches: a position, a memo or a mark that the next owner does not get."""
        await ledger.plan("orders", "stream", GRAPH)
        first = await self.taken(ledger, "b")
        await ledger.commit(first, "7", memo=b"\x00window")
        await ledger.commit(first, "8")
        await ledger.mark(first, Mark(position="9", attempt=2))
        await ledger.release(first)
        second = await self.taken(ledger, "b", "other")
        assert (second.epoch, second.position, second.memo) == (2, "8", b"\x00window")
        assert (second.mark, second.crashes) == (Mark(position="9", attempt=2), 0)
        for memo in (b"", None):
            await ledger.commit(second, "8", memo=memo)
            assert (await self.row(ledger, "b")).memo == memo

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_former_owner_writes_nothing(self, ledger: Ledger, verb: str) -> None:
        """By owner. Catches: a verb that compares the epoch only, checks outside the write, or does not check."""
        await ledger.plan("orders", "stream", GRAPH)
        first = await self.taken(ledger, "b")
        await ledger.release(first)
        await self.taken(ledger, "b", "other")
        await self.refused(ledger, verb, first)
        impostor = Lease(mapping="orders", shard="b", owner="w", epoch=2, position="")
        await self.refused(ledger, verb, impostor)

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_former_epoch_of_the_same_owner_writes_nothing(self, ledger: Ledger, verb: str) -> None:
        """By epoch. Catches: a verb that compares the owner only."""
        await ledger.plan("orders", "stream", GRAPH)
        first = await self.taken(ledger, "b")
        await ledger.release(first)
        assert (await self.taken(ledger, "b")).epoch == 2
        await self.refused(ledger, verb, first)

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_lease_of_a_row_that_is_gone_writes_nothing(self, ledger: Ledger, verb: str) -> None:
        """The store was emptied. Catches: a commit that makes half a row."""
        lease = Lease(mapping="orders", shard="b", owner="w", epoch=1, position="")
        with pytest.raises(LaneLost):
            await FENCED[verb](ledger, lease)
        assert (await ledger.rows("orders")).rows == ()
        renewal = await ledger.renew({lease: ""}, LONG)
        assert renewal == Renewal(lost=frozenset({lease}), generations={"orders": None})

    @pytest.mark.parametrize("verb", ["commit", "end", "mark"])
    async def test_an_expired_lease_writes_nothing_though_nobody_took_it(self, ledger: Ledger, verb: str) -> None:
        """Catches: a write that trusts the worker's own idea of its lease."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b", ttl=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        row = await self.row(ledger, "b")
        assert (row.held, row.left <= 0, row.owner) == (False, True, "w")
        with pytest.raises(LaneLost):
            await FENCED[verb](ledger, lease)
        row = await self.row(ledger, "b")
        assert (row.position, row.memo, row.mark, row.ended) == ("at:2", None, None, False)
        assert (await ledger.renew({lease: ""}, LONG)).lost == {lease}
        assert not (await self.row(ledger, "b")).held

    async def test_a_renewed_lease_does_not_expire(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b", ttl=2.0)
        assert (await ledger.renew({lease: "reading"}, LONG)).lost == set()
        await asyncio.sleep(2.1)
        assert await ledger.acquire("orders", "b", "other", LONG) is None
        assert (await self.row(ledger, "b")).state == "reading"
        await ledger.commit(lease, "7")

    async def test_a_renewal_tells_what_is_lost_and_who_asks(self, ledger: Ledger) -> None:
        """Catches: one lost lease that hides the others, an ask that is not passed on, or that outlives its owner."""
        await ledger.plan("orders", "stream", GRAPH)
        kept, lost = await self.taken(ledger, "b"), await self.taken(ledger, "c/:é ")
        await ledger.release(lost)
        taken = await self.taken(ledger, "c/:é ", "other")
        assert await ledger.ask("orders", "b", "other")
        assert await ledger.ask("orders", "b", "other")
        assert not await ledger.ask("orders", "b", "third"), "the first who asks is kept"
        assert not await ledger.ask("orders", "b", "w"), "nobody asks himself"
        assert not await ledger.ask("orders", "a", "other"), "nobody has it"
        renewal = await ledger.renew({kept: "", lost: "", taken: ""}, LONG)
        assert (renewal.lost, renewal.asked) == (frozenset({lost}), {kept: "other"})
        assert not renewal.paused
        assert (await self.row(ledger, "b")).asked == "other"
        await ledger.release(kept)
        await self.taken(ledger, "b", "other")
        assert (await self.row(ledger, "b")).asked is None
        assert (await ledger.renew({}, LONG)).lost == set()

    async def test_crashes_are_counted_at_a_position(self, ledger: Ledger) -> None:
        """Rule 13. Catches: a release that counts, one's own return that counts, a moved position that keeps them."""
        await ledger.plan("orders", "stream", GRAPH)
        seen = []
        for owner in ("w1", "w2", "w3", "w3"):
            lease = await self.taken(ledger, "b", owner, ttl=SHORT)
            seen.append(lease.crashes)
            await asyncio.sleep(SHORT + 0.1)
        assert seen == [0, 1, 2, 2], "who comes back by himself did not crash"
        lease = await self.taken(ledger, "b", "w4", ttl=LONG)
        assert (lease.crashes, lease.epoch) == (3, 5)
        await ledger.release(lease)
        lease = await self.taken(ledger, "b", "w5")
        assert lease.crashes == 3
        await ledger.mark(lease, Mark(position="3", attempt=1))
        await ledger.commit(lease, "at:2", memo=b"m")
        row = await self.row(ledger, "b")
        assert (row.crashes, row.mark) == (3, Mark(position="3", attempt=1)), "it has not moved"
        await ledger.commit(lease, "3")
        row = await self.row(ledger, "b")
        assert (row.crashes, row.mark) == (0, None)

    async def test_who_lets_go_late_did_not_crash(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b", ttl=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        await ledger.release(lease)
        assert (await self.taken(ledger, "b", "other")).crashes == 0

    async def test_the_end_is_written_once_and_for_all(self, ledger: Ledger) -> None:
        """Catches: an ended shard that is given to somebody, a repeated end that is taken for a loss."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        for _ in range(2):
            await ledger.commit(lease, "9", end=True)
        row = await self.row(ledger, "b")
        assert (row.ended, row.position, row.held) == (True, "9", False)
        assert await ledger.acquire("orders", "b", "w", LONG) is None
        with pytest.raises(LaneLost):
            await ledger.commit(lease, "8")
        assert (await ledger.renew({lease: ""}, LONG)).lost == {lease}
        await ledger.release(lease)
        assert (await self.row(ledger, "b")).ended

    async def test_repeats_change_nothing(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        for _ in range(2):
            await ledger.commit(lease, "7", memo=b"m")
            await ledger.mark(lease, Mark(position="8", attempt=1))
        row = await self.row(ledger, "b")
        assert (row.position, row.memo, row.mark) == ("7", b"m", Mark(position="8", attempt=1))
        for _ in range(2):
            await ledger.release(lease)
        assert (await self.row(ledger, "b")).owner is None

    async def test_a_seek_moves_ended_rows_too_and_fences_their_readers(self, ledger: Ledger) -> None:
        """Catches: a seek that keeps the epoch, the memo or an end, or that lets two read at once."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        await ledger.commit(lease, "7", memo=b"window")
        await ledger.mark(lease, Mark(position="8", attempt=1))
        await ledger.seek("orders", {"a": "first", "b": "second"})
        a, b, c = (await ledger.rows("orders")).rows
        assert (a.position, a.ended, a.epoch) == ("first", False, 1)
        assert (b.position, b.memo, b.mark, b.epoch, b.crashes) == ("second", None, None, 2, 0)
        assert (c.position, c.epoch) == ("start", 0)
        with pytest.raises(LaneLost):
            await ledger.commit(lease, "8")
        assert (await ledger.renew({lease: ""}, LONG)).lost == {lease}
        assert await ledger.acquire("orders", "b", "other", LONG) is None, "its reader may still be at it"
        again = await self.taken(ledger, "b")
        assert (again.position, again.epoch, again.memo) == ("second", 2, None)
        await ledger.commit(again, "third")

    async def test_a_seek_past_a_dead_owner_counts_no_crash(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        await self.taken(ledger, "b", ttl=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        await ledger.seek("orders", {"b": "second"})
        lease = await self.taken(ledger, "b", "other")
        assert (lease.crashes, lease.position, lease.epoch) == (0, "second", 3)

    async def test_a_seek_of_what_is_not_there_moves_nothing(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        before = await ledger.rows("orders")
        with pytest.raises(UnknownShards, match="'x', 'y'"):
            await ledger.seek("orders", {"b": "second", "y": "0", "x": "0"})
        assert await ledger.rows("orders") == before

    async def test_a_pause_is_kept_before_there_is_a_graph_and_taken_back(self, ledger: Ledger) -> None:
        await ledger.pause("orders", paused=True)
        assert (await ledger.rows("orders")).paused
        assert await ledger.plan("orders", "stream", GRAPH)
        graph = await ledger.rows("orders")
        assert (graph.paused, len(graph.rows)) == (True, 3)
        lease = await self.taken(ledger, "b")
        assert (await ledger.renew({lease: ""}, LONG)).paused == {"orders"}
        await ledger.pause("orders", paused=False)
        assert (await ledger.renew({lease: ""}, LONG)).paused == set()

    async def test_closes_twice(self, ledger: Ledger) -> None:
        await ledger.close()
        await ledger.close()
