# ruff: noqa: S101, PLR2004 - as the suite that inherits it
"""What every ledger must do with whole graphs: write them once, add, forget, write over and restore rows."""

from __future__ import annotations

import asyncio

import pytest

from headrace.errors import GraphChanged
from headrace.ledger import Lease, Ledger, Mark, Row, Shard
from headrace.testing.ledger_steps import FENCED, GRAPH, LONG, SHORT, LedgerSteps

KNOWN = [
    Row(shard="a", position="5", ended=True, epoch=2),
    Row(shard="b", position="7", parents=("a",), epoch=4, memo=b"\x00window"),
    Row(shard="c/:é ", position="start", parents=("a", "b")),
]
"""What a worker knew of a graph that its store has lost."""


class LedgerGraphConformance(LedgerSteps):
    """Part of `ledger.LedgerConformance`."""

    async def test_a_graph_is_written_once_and_read_as_it_was_written(self, ledger: Ledger) -> None:
        """Catches: a plan that overwrites, parents or ends that are lost, an order that is not kept."""
        assert (await ledger.rows("orders")).generation is None
        assert await ledger.plan("orders", "stream-1", GRAPH)
        graph = await ledger.rows("orders")
        assert not await ledger.plan("orders", "stream-2", [Shard(name="z", position="0")])
        assert await ledger.rows("orders") == graph
        assert (graph.identity, bool(graph.generation), graph.paused) == ("stream-1", True, False)
        assert list(graph.rows) == [
            Row(shard=shard.name, position=shard.position, parents=shard.parents, ended=shard.ended) for shard in GRAPH
        ]

    async def test_of_many_first_starts_one_writes_and_all_of_it(self, ledger: Ledger) -> None:
        """Catches: a look and a write in two steps."""
        graphs = [[Shard(name=f"{start}-{n}", position=str(start)) for n in range(40)] for start in range(12)]
        wrote = await asyncio.gather(*(ledger.plan("orders", str(n), graph) for n, graph in enumerate(graphs)))
        assert sum(wrote) == 1
        graph = await ledger.rows("orders")
        assert graph.identity == str(wrote.index(True))
        assert [row.shard for row in graph.rows] == [shard.name for shard in graphs[wrote.index(True)]]

    async def test_a_wide_graph_goes_in_one_write(self, ledger: Ledger) -> None:
        wide = [Shard(name=f"shard-{n:05}", position="0", parents=(f"shard-{n - 1:05}",)) for n in range(3000)]
        assert await ledger.plan("orders", "stream", wide)
        assert len((await ledger.rows("orders")).rows) == 3000
        await ledger.seek("orders", {shard.name: "1" for shard in wide})
        assert {row.position for row in (await ledger.rows("orders")).rows} == {"1"}

    async def test_new_shards_are_added_and_known_ones_left(self, ledger: Ledger) -> None:
        """Catches: a listing that comes again and takes a shard back to its beginning."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        await ledger.commit(lease, "7")
        again = [Shard(name="b", position="at:2"), Shard(name="d", position="start", parents=("b",))]
        assert await ledger.add("orders", "stream", again) == {"d"}
        assert await ledger.add("orders", "stream", again) == set()
        rows = (await ledger.rows("orders")).rows
        assert [row.shard for row in rows] == ["a", "b", "c/:é ", "d"]
        assert (rows[1].position, rows[3].parents) == ("7", ("b",))

    async def test_a_row_tells_how_long_nobody_was_given_it(self, ledger: Ledger) -> None:
        """Catches: a time that goes on with every write, or that an end or a letting go leaves as it was."""
        await ledger.plan("orders", "stream", GRAPH)
        await asyncio.sleep(SHORT)
        first, second = await self.taken(ledger, "b"), await self.taken(ledger, "c/:é ")
        await ledger.commit(first, "8", memo=b"m")
        idle = {row.shard: row.idle or 0.0 for row in (await ledger.rows("orders")).rows}
        assert min(idle.values()) >= SHORT * 0.9
        await ledger.commit(first, "9", end=True)
        await ledger.release(second)
        later = {row.shard: row.idle for row in (await ledger.rows("orders")).rows}
        assert all((later[shard] or 0.0) < SHORT / 2 for shard in ("b", "c/:é "))
        assert (later["a"] or 0.0) >= idle["a"]

    async def test_shards_of_another_stream_are_not_added(self, ledger: Ledger) -> None:
        """A stream that was deleted and made again has shards of the same names."""
        with pytest.raises(GraphChanged, match="none"):
            await ledger.add("orders", "stream-1", GRAPH)
        await ledger.plan("orders", "stream-1", GRAPH[:1])
        with pytest.raises(GraphChanged, match="stream-1"):
            await ledger.add("orders", "stream-2", GRAPH)
        assert len((await ledger.rows("orders")).rows) == 1

    async def test_of_many_rows_those_that_have_ended_are_forgotten(self, ledger: Ledger) -> None:
        """Catches: a live row that is removed, one that is left half, a name that is still in the list of names."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        assert await ledger.forget("orders", ["a", "b", "c/:é ", "x"]) == {"a"}
        assert [row.shard for row in (await ledger.rows("orders")).rows] == ["b", "c/:é "]
        await ledger.commit(lease, "7", memo=b"m")
        await ledger.commit(lease, "8", end=True)
        assert await ledger.forget("orders", ["b"]) == {"b"}
        assert await ledger.forget("orders", ["b"]) == set(), "a repeat removes nothing"
        graph = await ledger.rows("orders")
        assert [(row.shard, row.parents) for row in graph.rows] == [("c/:é ", ("a", "b"))]
        assert graph.identity == "stream"
        assert await ledger.forget("refunds", ["b"]) == set()
        assert (await ledger.rows("refunds")).generation is None

    async def test_all_may_be_forgotten_and_others_added(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH[:1])
        assert await ledger.forget("orders", ["a"]) == {"a"}
        assert (await ledger.rows("orders")).rows == ()
        assert not await ledger.plan("orders", "stream", GRAPH), "there is a graph"
        assert await ledger.add("orders", "stream", GRAPH[1:]) == {"b", "c/:é "}
        assert [row.shard for row in (await ledger.rows("orders")).rows] == ["b", "c/:é "]

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_forgotten_row_that_is_added_again_is_another(self, ledger: Ledger, verb: str) -> None:
        """Catches: epochs that begin anew, and fields of the old row that were left."""
        await ledger.plan("orders", "stream", GRAPH)
        old = await self.ended(ledger, "b")
        await ledger.forget("orders", ["b"])
        await ledger.add("orders", "stream", GRAPH[1:2])
        row = await self.row(ledger, "b")
        assert row == Row(shard="b", position="at:2", epoch=row.epoch)
        await self.refused(ledger, verb, old)
        assert (await self.taken(ledger, "b")).epoch > old.epoch
        await self.refused(ledger, verb, old)

    async def test_a_stream_that_was_made_again_has_another_graph(self, ledger: Ledger) -> None:
        """Catches: rows, memos or ends of the old graph that are left, a pause that is lost."""
        await ledger.plan("orders", "stream-1", GRAPH)
        await ledger.pause("orders", paused=True)
        await ledger.plan("refunds", "stream-1", GRAPH)
        before, apart = await ledger.rows("orders"), await ledger.rows("refunds")
        lease = await self.taken(ledger, "b")
        await ledger.mark(lease, Mark(position="8", attempt=1))
        await ledger.commit(lease, "at:2", memo=b"window")
        await ledger.ask("orders", "b", "other")
        anew = [Shard(name="b", position="first", parents=("z",)), Shard(name="z", position="0", ended=True)]
        assert await ledger.replan("orders", before.generation or "", "stream-2", anew)
        graph = await ledger.rows("orders")
        assert (graph.identity, graph.paused) == ("stream-2", True)
        assert graph.generation not in {None, before.generation}
        assert list(graph.rows) == [
            Row(shard="b", position="first", parents=("z",), epoch=2),
            Row(shard="z", position="0", ended=True, epoch=2),
        ]
        assert await ledger.rows("refunds") == apart
        assert await ledger.add("orders", "stream-2", [Shard(name="y", position="0")]) == {"y"}

    async def test_of_many_that_write_the_new_graph_one_does(self, ledger: Ledger) -> None:
        """Catches: a look and a write in two steps, a repeat that writes again."""
        await ledger.plan("orders", "stream-1", GRAPH)
        old = (await ledger.rows("orders")).generation or ""
        graphs = [[Shard(name=f"{start}-{n}", position="0") for n in range(20)] for start in range(8)]
        wrote = await asyncio.gather(*(ledger.replan("orders", old, str(n), graph) for n, graph in enumerate(graphs)))
        assert sum(wrote) == 1
        graph = await ledger.rows("orders")
        assert graph.identity == str(wrote.index(True))
        assert [row.shard for row in graph.rows] == [shard.name for shard in graphs[wrote.index(True)]]
        assert not await ledger.replan("orders", old, "stream-3", GRAPH)
        assert await ledger.rows("orders") == graph

    async def test_where_there_is_no_graph_none_is_written_over(self, ledger: Ledger) -> None:
        await ledger.pause("orders", paused=True)
        assert not await ledger.replan("orders", "0123", "stream", GRAPH)
        graph = await ledger.rows("orders")
        assert (graph.generation, graph.identity, graph.paused, graph.rows) == (None, None, True, ())

    @pytest.mark.parametrize("verb", FENCED)
    async def test_leases_of_the_old_stream_are_never_valid_again(self, ledger: Ledger, verb: str) -> None:
        """The same owner takes rows of the same names until it has passed every epoch that it ever had.

        Catches: a new graph whose epochs begin at 0, of names that were there, that were forgotten, that come later.
        """
        await ledger.plan("orders", "stream-0", GRAPH)
        lease = await self.taken(ledger, "c/:é ")
        old = [await self.ended(ledger, "b"), lease, lease]
        await ledger.forget("orders", ["b"])
        for stream in ("stream-1", "stream-2"):
            await self.made_again(ledger, stream, [shard for shard in GRAPH if shard.name != "b"])
            new = await self.taken(ledger, "c/:é ")
            assert new not in old
            await self.refused(ledger, verb, old[-1])
            old.append(new)
        await self.made_again(ledger, "stream-3", [])
        await self.made_again(ledger, "stream-4", [])
        await ledger.add("orders", "stream-4", [Shard(name=shard.name, position="0") for shard in GRAPH])
        for shard in ("b", "c/:é "):
            for _ in range(8):
                for lease in old:
                    if lease.shard == shard:
                        await self.refused(ledger, verb, lease)
                new = await self.taken(ledger, shard)
                assert new not in old
                await ledger.release(new)

    async def test_a_reader_of_the_old_stream_is_told_and_another_may_begin(self, ledger: Ledger) -> None:
        """Unlike a seek: the old reader reads another stream. Catches: an owner that is kept, an epoch that is."""
        await ledger.plan("orders", "stream-1", GRAPH)
        lease = await self.taken(ledger, "b")
        await self.made_again(ledger, "stream-2", GRAPH)
        renewal = await ledger.renew({lease: ""}, LONG)
        assert renewal.lost == {lease}
        assert renewal.generations["orders"] == (await ledger.rows("orders")).generation
        new = await self.taken(ledger, "b", "other")
        assert (new.epoch, new.position, new.crashes) == (3, "at:2", 0)

    async def test_an_emptied_store_is_written_back(self, ledger: Ledger) -> None:
        """Catches: a field that is lost, an order that is, a row that somebody holds, a repeat that writes again."""
        await ledger.pause("orders", paused=True)
        known = [*KNOWN, Row(shard="d", position="3", owner="w", left=9.0, crashes=2, asked="x", state="reading")]
        names = {"a", "b", "c/:é ", "d"}
        assert await ledger.restore("orders", "stream", "0123", known) == names
        graph = await ledger.rows("orders")
        assert (graph.identity, graph.generation, graph.paused) == ("stream", "0123", True)
        assert list(graph.rows) == [*KNOWN, Row(shard="d", position="3")]
        assert await ledger.restore("orders", "stream", "0123", known) == set()
        assert await ledger.rows("orders") == graph
        assert not await ledger.plan("orders", "stream", GRAPH), "there is a graph"
        assert await ledger.acquire("orders", "a", "w", LONG) is None
        lease = await self.taken(ledger, "b", "other")
        assert (lease.epoch, lease.position, lease.memo, lease.crashes) == (5, "7", b"\x00window", 0)

    async def test_of_two_that_restore_the_higher_epoch_stays(self, ledger: Ledger) -> None:
        """Catches: a restore that overwrites a row of the same epoch or a higher one, one that writes nothing twice."""
        await ledger.restore("orders", "stream", "0123", KNOWN)
        holder = await self.taken(ledger, "b", "other")
        late = [
            Row(shard="a", position="4", epoch=1),
            Row(shard="b", position="6", epoch=5),
            Row(shard="c/:é ", position="9", parents=("b",), epoch=1, memo=b""),
            Row(shard="d", position="1"),
        ]
        assert await ledger.restore("orders", "stream", "0123", late) == {"c/:é ", "d"}
        a, b, c, d = (await ledger.rows("orders")).rows
        assert (a, c, d) == (KNOWN[0], late[2], late[3])
        assert (b.position, b.owner, b.epoch, b.memo) == ("7", "other", 5, b"\x00window")
        await ledger.commit(holder, "8")

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_restored_row_is_nobodys(self, ledger: Ledger, verb: str) -> None:
        """An older copy of the store has an owner that is gone. Catches: an owner, a crash or a mark that is kept."""
        await ledger.restore("orders", "stream", "0123", KNOWN)
        stale = await self.taken(ledger, "b", "gone")
        await ledger.mark(stale, Mark(position="8", attempt=1))
        await ledger.ask("orders", "b", "other")
        back = Row(shard="b", position="20", parents=("a",), epoch=9)
        assert await ledger.restore("orders", "stream", "0123", [back]) == {"b"}
        assert await self.row(ledger, "b") == back
        await self.refused(ledger, verb, stale)
        assert (await ledger.renew({stale: ""}, LONG)).lost == {stale}
        lease = await self.taken(ledger, "b")
        assert (lease.epoch, lease.position, lease.mark, lease.crashes) == (10, "20", None, 0)

    async def test_another_generation_is_left_as_it_is(self, ledger: Ledger) -> None:
        """Somebody wrote a first graph in between. Catches: rows of a lost graph on top of another."""
        await ledger.plan("orders", "stream", GRAPH)
        graph = await ledger.rows("orders")
        with pytest.raises(GraphChanged, match=f"{graph.generation}, and not of 0123: nothing was restored"):
            await ledger.restore("orders", "stream", "0123", KNOWN)
        assert await ledger.rows("orders") == graph
        assert await ledger.restore("orders", "stream", graph.generation or "", KNOWN) == {"a", "b"}

    async def test_a_graph_is_restored_or_written_anew_but_not_both(self, ledger: Ledger) -> None:
        """Catches: a look and a write in two steps."""
        told = await asyncio.gather(
            ledger.plan("orders", "stream", GRAPH),
            ledger.restore("orders", "stream", "0123", KNOWN),
            ledger.restore("orders", "stream", "0123", KNOWN),
            return_exceptions=True,
        )
        rows = (await ledger.rows("orders")).rows
        if told[0] is True:
            assert all(isinstance(answer, GraphChanged) for answer in told[1:])
            assert [row.position for row in rows] == [shard.position for shard in GRAPH]
        else:
            assert sorted(map(len, told[1:])) == [0, 3]  # type: ignore[arg-type]
            assert list(rows) == KNOWN

    async def test_a_wide_graph_is_restored_written_over_and_forgotten(self, ledger: Ledger) -> None:
        wide = [Shard(name=f"shard-{n:05}", position="0", ended=True) for n in range(3000)]
        known = [Row(shard=shard.name, position="1", ended=True) for shard in wide]
        assert len(await ledger.restore("orders", "stream", "0123", known)) == 3000
        assert await ledger.replan("orders", "0123", "stream", wide)
        assert len(await ledger.forget("orders", [shard.name for shard in wide[1:]])) == 2999
        assert [row.shard for row in (await ledger.rows("orders")).rows] == ["shard-00000"]

    async def ended(self, ledger: Ledger, shard: str) -> Lease:
        """A lease under which *shard* was ended: not its first, and with everything else in the row that can be."""
        for _ in range(3):
            lease = await self.taken(ledger, shard)
            await ledger.mark(lease, Mark(position="8", attempt=1))
            await ledger.release(lease)
        lease = await self.taken(ledger, shard)
        await ledger.renew({lease: "reading"}, LONG)
        await ledger.ask("orders", shard, "other")
        await ledger.commit(lease, lease.position, memo=b"window", end=True)
        return lease

    async def made_again(self, ledger: Ledger, stream: str, shards: list[Shard]) -> None:
        assert await ledger.replan("orders", (await ledger.rows("orders")).generation or "", stream, shards)
