# ruff: noqa: S101 - this is a suite: it asserts, and the expected number is the point of a test
"""What every store must do with what is kept of records: a suite for the authors of stores, beside `LedgerConformance`.

```python
class TestMyOutcomes(OutcomesConformance):
    @pytest.fixture
    async def ledger(self, server) -> AsyncIterator[Ledger]:
        yield await open_mine(LedgerOpening(url=server.url, service=unique_name()))
```

The fixture gives an empty one. Time is the loop's own, as in `conformance`. Needs pytest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headrace.ledger import Ledger
from headrace.outcomes import KeptOutcome
from headrace.testing.ledger_steps import GRAPH, LONG, SHORT, LedgerSteps

STREAM = "stream"


class OutcomesConformance(LedgerSteps):
    """Subclass it and give a fixture `ledger`."""

    async def keep(
        self, ledger: Ledger, name: str, records: str, *, lane: str = "b", seconds: float = LONG, **more: int
    ) -> None:
        await ledger.keep(
            "orders", lane, KeptOutcome(name=name, records=list(records), text=f"of {name}"), seconds, **more
        )

    async def found(self, ledger: Ledger, records: str | None = None, *, lane: str = "b") -> dict[str, str]:
        """The records of each outcome, by its name; the text is its own."""
        asked = None if records is None else list(records)
        kept = await ledger.kept("orders", lane, asked)
        assert all(one.text == f"of {one.name}" for one in kept)
        assert len({one.name for one in kept}) == len(kept)
        return {one.name: "".join(sorted(one.records)) for one in kept}

    async def test_what_is_kept_is_found_by_its_records_and_by_its_lane(self, ledger: Ledger) -> None:
        """Catches: another lane's, an outcome twice, one whose other records are left out."""
        await self.keep(ledger, "one", "ab")
        await self.keep(ledger, "two", "c")
        await self.keep(ledger, "far", "a", lane="b, too")
        assert await self.found(ledger) == {"one": "ab", "two": "c"}
        assert await self.found(ledger, "ba") == {"one": "ab"}
        assert await self.found(ledger, "xcb") == {"two": "c", "one": "ab"}
        assert await self.found(ledger, "x") == await self.found(ledger, "") == {}
        assert await self.found(ledger, lane="b, too") == {"far": "a"}
        assert await ledger.kept("refunds", "b", None) == []

    async def test_a_record_has_the_outcome_that_was_kept_last(self, ledger: Ledger) -> None:
        """Catches: an outcome that no record has any more, a repeat that is a second one."""
        await self.keep(ledger, "one", "abc")
        await self.keep(ledger, "one", "abc")
        await self.keep(ledger, "two", "b")
        assert await self.found(ledger) == {"one": "ac", "two": "b"}
        await self.keep(ledger, "three", "ac")
        assert await self.found(ledger) == {"two": "b", "three": "ac"}
        await self.keep(ledger, "three", "a")
        assert await self.found(ledger) == {"two": "b", "three": "a"}, "what is kept anew is of its own records alone"
        assert await self.found(ledger, "c") == {}

    async def test_what_is_kept_anew_has_the_new_text(self, ledger: Ledger) -> None:
        for text in ("first", "second"):
            await ledger.keep("orders", "b", KeptOutcome(name="one", records=["a"], text=text), LONG)
        (kept,) = await ledger.kept("orders", "b", ["a"])
        assert kept.text == "second"

    async def test_what_is_over_is_dropped(self, ledger: Ledger) -> None:
        """Catches: an outcome that goes with its first record, or stays without any; a record of another lane."""
        await self.keep(ledger, "one", "ab")
        await self.keep(ledger, "two", "c")
        await self.keep(ledger, "one", "a", lane="c")
        for _ in range(2):
            await ledger.drop("orders", "b", ["a", "x"])
            assert await self.found(ledger, "abc") == await self.found(ledger) == {"one": "b", "two": "c"}
        await ledger.drop("orders", "b", ["c", "b"])
        assert await self.found(ledger, "abc") == await self.found(ledger) == {}
        assert await self.found(ledger, "a", lane="c") == {"one": "a"}
        await ledger.drop("orders", "b", [])

    async def test_what_is_kept_has_an_end(self, ledger: Ledger) -> None:
        """Catches: one that a look prolongs, one that is found by its record still; a repeat prolongs."""
        await self.keep(ledger, "short", "a", seconds=SHORT)
        await self.keep(ledger, "again", "b", seconds=SHORT)
        await self.keep(ledger, "again", "b")
        assert await self.found(ledger, "ab") == {"short": "a", "again": "b"}
        await asyncio.sleep(SHORT + 0.1)
        assert await self.found(ledger, "ab") == await self.found(ledger) == {"again": "b"}
        await self.keep(ledger, "new", "a")
        assert await self.found(ledger) == {"again": "b", "new": "a"}

    async def test_any_text_names_a_lane_a_record_and_an_outcome(self, ledger: Ledger) -> None:
        odd: Sequence[str] = ["", "é: /", 'a", "b', "\\", "x\ny", "[]", "a" * 300]
        for lane in odd:
            await ledger.keep("a/é: ", lane, KeptOutcome(name=lane, records=odd, text=lane), LONG)
        for lane in odd:
            for asked in (odd, None):
                (kept,) = await ledger.kept("a/é: ", lane, asked)
                assert (kept.name, sorted(kept.records), kept.text) == (lane, sorted(odd), lane)

    async def test_a_seek_forgets_what_is_kept_of_its_shards(self, ledger: Ledger) -> None:
        """So a record that is to come again is run again. Catches: others that it forgets, those that stay."""
        await ledger.plan("orders", STREAM, GRAPH)
        for lane in ("b", "c/:é ", "of no shard"):
            await self.keep(ledger, "one", "ab", lane=lane)
        await ledger.seek("orders", {"c/:é ": "7"})
        assert await self.found(ledger, lane="c/:é ") == await self.found(ledger, "ab", lane="c/:é ") == {}
        assert await self.found(ledger) == await self.found(ledger, lane="of no shard") == {"one": "ab"}

    async def test_a_stream_that_is_made_again_has_nothing_kept(self, ledger: Ledger) -> None:
        await ledger.plan("orders", STREAM, GRAPH)
        await self.keep(ledger, "one", "ab")
        generation = (await ledger.rows("orders")).generation
        assert generation is not None
        assert await ledger.replan("orders", generation, "another", GRAPH)
        assert await self.found(ledger) == await self.found(ledger, "a") == {}

    async def test_what_an_earlier_owner_says_is_not_kept(self, ledger: Ledger) -> None:
        """It was sought meanwhile, or taken. Catches: a write that does not look at the row."""
        await ledger.plan("orders", STREAM, GRAPH)
        lease = await self.taken(ledger, "b", ttl=SHORT)
        await self.keep(ledger, "one", "a", epoch=lease.epoch)
        assert await self.found(ledger) == {"one": "a"}
        await ledger.seek("orders", {"b": "7"})
        await self.keep(ledger, "late", "a", epoch=lease.epoch)
        assert await self.found(ledger) == {}
        await asyncio.sleep(SHORT + 0.1)
        next_lease = await self.taken(ledger, "b", "other")
        await self.keep(ledger, "next", "a", epoch=next_lease.epoch)
        assert await self.found(ledger) == {"next": "a"}

    async def test_what_is_kept_stands_beside_all_else(self, ledger: Ledger) -> None:
        """Catches: a mapping's graph that it makes."""
        await self.keep(ledger, "one", "a")
        graph = await ledger.rows("orders")
        assert (graph.identity, graph.rows, (await ledger.waiting("orders")).total) == (None, (), 0)
