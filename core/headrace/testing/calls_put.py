# ruff: noqa: S101, PLR2004 - as the suite that inherits it
"""What every queue of calls must do with what is put, by itself or with a position, and what it tells of it."""

from __future__ import annotations

import asyncio

import pytest

from headrace.calls import Call, Waiting
from headrace.ledger import Ledger
from headrace.model import LaneLost
from headrace.testing.calls_steps import CallsSteps, call, ids
from headrace.testing.ledger_steps import GRAPH, LONG, SHORT


class CallsPutConformance(CallsSteps):
    """Part of `calls.CallsConformance`."""

    # what is put

    async def test_a_call_is_given_as_it_was_put(self, ledger: Ledger) -> None:
        """Catches: a field that is lost, a text that is mangled, a time that is not the store's."""
        before = await ledger.now()
        put = [
            Call(id="a/é: ", event='{"k": "\\u0000é\\n"}', due=before, group="g:é ", alone=True),
            Call(id="b", event="null"),
        ]
        assert await ledger.put("orders", put) == {"a/é: ", "b"}
        taken = await self.take(ledger)
        assert [one.call for one in taken] == put
        assert [(one.mapping, one.attempt) for one in taken] == [("orders", 1), ("orders", 1)]
        after = await ledger.now()
        assert all(before <= one.accepted <= after for one in taken)

    async def test_an_id_that_is_there_is_not_put_again(self, ledger: Ledger) -> None:
        """While it waits and while it is taken. Catches: a second call, or one that is written over, or freed."""
        assert await ledger.put("orders", [call("a", group="g"), call("a")]) == {"a"}
        other = Call(id="a", event="null", due=await ledger.now() + LONG)
        assert await ledger.put("orders", [other, call("b")]) == {"b"}
        first, second = await self.take(ledger)
        assert (first.call, second.call.id) == (call("a", group="g"), "b")
        assert await ledger.put("orders", [other]) == set()
        assert await self.take(ledger) == []
        assert await ledger.settle([first]) == set()
        assert await ledger.put("orders", [call("a")]) == {"a"}, "it is gone, and its id free"

    async def test_nothing_is_put_of_nothing(self, ledger: Ledger) -> None:
        assert await ledger.put("orders", []) == set()
        assert await ledger.hold([], LONG) == await ledger.settle([]) == await ledger.put_back([], 0, begun=True)
        assert await ledger.unfinished("orders", []) == {}
        assert (await ledger.waiting("orders"), await ledger.notes("orders")) == (Waiting(), {})

    async def test_mappings_are_apart(self, ledger: Ledger) -> None:
        for mapping in ("orders", "refunds"):
            assert await ledger.put(mapping, [call("a", group="g", alone=True)]) == {"a"}
        first = await self.one(ledger)
        (second,) = await self.take(ledger, mapping="refunds")
        await ledger.settle([first], {"a": "done"})
        assert (await ledger.waiting("refunds"), await ledger.notes("refunds")) == (Waiting(taken=1), {})
        assert await ledger.hold([first, second], LONG) == {first}
        assert await ledger.unfinished("refunds", ["g"]) == {"g": 1}

    async def test_many_are_put_and_taken_at_once(self, ledger: Ledger) -> None:
        """Catches: a limit on what one write may hold."""
        many = [call(f"{number:05}", group=f"g{number}") for number in range(3000)]
        assert len(await ledger.put("orders", many)) == 3000
        taken = await self.take(ledger, 3000)
        assert ids(taken) == [one.id for one in many]
        assert await ledger.settle(taken, {one.id: "done" for one in many}) == set()
        assert len(await ledger.notes("orders")) == 3000
        assert await ledger.unfinished("orders", [one.group for one in many]) == {}

    # what people are told

    async def test_the_last_note_of_a_group_is_kept(self, ledger: Ledger) -> None:
        """Catches: a note by id, one for a call that was not settled, one that goes with its call."""
        await ledger.put("orders", [call("a", group="g"), call("b", group="g:é "), call("c", group="g"), call("d")])
        a, b, c, d = sorted(await self.take(ledger), key=lambda one: one.call.id)
        await ledger.settle([a, b], {"a": "first", "b": "of é", "c": "not yet"})
        assert await ledger.notes("orders") == {"g": "first", "g:é ": "of é"}
        await ledger.settle([c], {"c": "last"})
        await ledger.settle([d])
        assert await ledger.notes("orders") == {"g": "last", "g:é ": "of é"}

    async def test_what_is_not_settled_is_counted(self, ledger: Ledger) -> None:
        """By group, and by what may be done with it. Catches: what is taken, or comes due later, left out."""
        later = await ledger.now() + LONG
        await ledger.put("orders", [call("a", group="g"), call("b", group="g"), call("c", group="g", due=later)])
        await ledger.put("orders", [call("d", group="h")])
        taken = (await self.take(ledger, 1))[0]
        assert await ledger.waiting("orders") == Waiting(due=2, later=1, taken=1)
        assert (await ledger.waiting("orders")).total == 4
        assert await ledger.unfinished("orders", ["g", "h", "x"]) == {"g": 3, "h": 1}
        assert await ledger.unfinished("orders", ["h"]) == {"h": 1}
        await ledger.settle([taken])
        assert await ledger.unfinished("orders", ["g"]) == {"g": 2}

    async def test_what_is_not_settled_is_known_by_its_id(self, ledger: Ledger) -> None:
        """Catches: one that is taken, or comes due later, left out; one of another mapping; one that is settled."""
        later = await ledger.now() + LONG
        await ledger.put("orders", [call("a"), call("b"), call("c:é ", due=later), call("d")])
        await ledger.put("refunds", [call("x")])
        settled, _ = await self.take(ledger, 2)
        await ledger.settle([settled])
        assert await ledger.unsettled("orders", ["a", "b", "c:é ", "x", "y"]) == {"b", "c:é "}
        assert await ledger.unsettled("orders", []) == set()

    # with a position

    async def test_calls_are_put_with_the_position_that_they_came_of(self, ledger: Ledger) -> None:
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        await ledger.commit(lease, "7", memo=b"m", calls=[call("a", group="g"), call("b")])
        row = await self.row(ledger, "b")
        assert (row.position, row.memo) == ("7", b"m")
        assert await ledger.unfinished("orders", ["g"]) == {"g": 1}
        await ledger.commit(lease, "8", end=True, calls=[call("b"), call("c")])
        assert sorted(ids(await self.take(ledger))) == ["a", "b", "c"]

    async def test_a_repeated_commit_puts_nothing_again(self, ledger: Ledger) -> None:
        """Though its calls are settled already. Catches: calls that are put whenever the lease is good."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        await ledger.commit(lease, "7", calls=[call("a")])
        await ledger.settle(await self.take(ledger))
        await ledger.commit(lease, "7", calls=[call("a")])
        assert await ledger.waiting("orders") == Waiting()
        for _ in range(2):
            await ledger.commit(lease, "8", end=True, calls=[call("b")])
            await ledger.settle(await self.take(ledger))
        assert await ledger.waiting("orders") == Waiting()

    async def test_none_is_put_by_what_follows_a_position_that_is_not_there(self, ledger: Ledger) -> None:
        """The store was put back to an older copy; a repeat is none. Catches: a position that is not compared."""
        await ledger.plan("orders", "stream", GRAPH)
        lease = await self.taken(ledger, "b")
        begin = (await self.row(ledger, "b")).position
        for _ in range(2):
            await ledger.commit(lease, "7", calls=[call("a")], after=begin)
        with pytest.raises(LaneLost):
            await ledger.commit(lease, "9", calls=[call("b")], after="8")
        assert (await self.row(ledger, "b")).position == "7"
        await ledger.commit(lease, "8", calls=[call("c")], after="7")
        assert sorted(ids(await self.take(ledger))) == ["a", "c"]

    async def test_who_was_overtaken_puts_none(self, ledger: Ledger) -> None:
        """By owner, by epoch, by time. Catches: calls that are put outside the fence."""
        await ledger.plan("orders", "stream", GRAPH)
        first = await self.taken(ledger, "b")
        await ledger.release(first)
        second = await self.taken(ledger, "b", "other")
        await ledger.release(second)
        third = await self.taken(ledger, "b", ttl=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        for stale in (first, second, third):
            with pytest.raises(LaneLost):
                await ledger.commit(stale, "9", calls=[call("a")])
        assert await ledger.waiting("orders") == Waiting()

    async def test_a_graph_that_is_written_over_keeps_its_calls(self, ledger: Ledger) -> None:
        """They were accepted. Catches: a queue that goes with its mapping's rows."""
        await ledger.plan("orders", "stream", GRAPH)
        await ledger.put("orders", [call("a"), call("b")])
        taken = await self.one(ledger)
        generation = (await ledger.rows("orders")).generation or ""
        assert await ledger.replan("orders", generation, "stream-2", GRAPH[:1])
        assert await ledger.forget("orders", ["a"]) == {"a"}
        assert await ledger.settle([taken]) == set()
        assert ids(await self.take(ledger)) == ["b"]
