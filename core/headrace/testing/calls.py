# ruff: noqa: S101, PLR2004 - this is a suite: it asserts, and the expected number is the point of a test
"""What every store's queues of calls must do: a suite for the authors of stores, beside `LedgerConformance`.

```python
class TestMyCalls(CallsConformance):
    @pytest.fixture
    async def ledger(self, server) -> AsyncIterator[Ledger]:
        yield await open_mine(LedgerOpening(url=server.url, service=unique_name()))
```

The fixture gives an empty one. Time is the loop's own, as in `conformance`. Needs pytest.
"""

from __future__ import annotations

import asyncio

import pytest

from headrace.calls import Waiting
from headrace.ledger import Ledger
from headrace.testing.calls_put import CallsPutConformance
from headrace.testing.calls_steps import FENCED, call, ids
from headrace.testing.ledger_steps import LONG, SHORT


class CallsConformance(CallsPutConformance):
    """Subclass it and give a fixture `ledger`. Here is what is taken; what is put, and told, is inherited."""

    # what is taken

    async def test_those_due_first_are_taken_first_and_none_too_early(self, ledger: Ledger) -> None:
        """Catches: the order of putting, or of ids; a limit that is not kept; a call that is taken before its time."""
        now = await ledger.now()
        dues = {"a": now - 1, "b": now - 3, "c": now + LONG, "d": now - 2, "e": now + SHORT}
        await ledger.put("orders", [call(id_, due=due) for id_, due in dues.items()])
        assert ids(await self.take(ledger, 2)) == ["b", "d"]
        assert ids(await self.take(ledger)) == ["a"]
        assert await ledger.waiting("orders") == Waiting(later=2, taken=3)
        await asyncio.sleep(SHORT + 0.1)
        assert ids(await self.take(ledger)) == ["e"]

    async def test_without_a_time_of_its_own_a_call_is_behind_those_before_it(self, ledger: Ledger) -> None:
        """Catches: due 0 taken by its word, so that a name decides, and another waits for ever."""
        for id_ in ("c", "a", "b"):
            await ledger.put("orders", [call(id_)])
            await asyncio.sleep(0.01)
        await ledger.put("orders", [call("z", due=await ledger.now() - LONG)])
        assert ids(await self.take(ledger)) == ["z", "c", "a", "b"]

    async def test_two_never_hold_one_call(self, ledger: Ledger) -> None:
        """Catches: a look and a write in two steps."""
        await ledger.put("orders", [call(f"{number:02}") for number in range(60)])
        takes = await asyncio.gather(*(self.take(ledger, 5, owner=f"w{number}") for number in range(20)))
        taken = [one for some in takes for one in some]
        assert sorted(ids(taken)) == [f"{number:02}" for number in range(60)]
        assert len({one.number for one in taken}) == 60, "a number was given twice"
        assert await self.take(ledger) == []

    async def test_none_is_taken_of_a_paused_mapping(self, ledger: Ledger) -> None:
        """Others go on, and what is taken may be settled. Catches: a pause that is not seen before there is a graph."""
        await ledger.put("orders", [call("a"), call("b")])
        taken = await self.one(ledger)
        await ledger.pause("orders", paused=True)
        assert await self.take(ledger) == []
        await ledger.put("refunds", [call("a")])
        assert len(await self.take(ledger, mapping="refunds")) == 1
        assert await ledger.settle([taken]) == set()
        assert await ledger.put("orders", [call("c")]) == {"c"}
        await ledger.pause("orders", paused=False)
        assert ids(await self.take(ledger)) == ["b", "c"]

    async def test_of_those_that_are_alone_one_is_taken_at_a_time(self, ledger: Ledger) -> None:
        """The earliest due first. Catches: two of a group in one take, or in two; a group that holds up another."""
        now = await ledger.now()
        await ledger.put(
            "orders",
            [
                call("late", due=now - 1, group="g", alone=True),
                call("early", due=now - 3, group="g", alone=True),
                call("other", due=now - 2, group="h", alone=True),
            ],
        )
        early, other = await self.take(ledger)
        assert ids([early, other]) == ["early", "other"]
        assert await self.take(ledger) == []
        await ledger.settle([other])
        assert await self.take(ledger) == []
        await ledger.settle([early])
        assert ids(await self.take(ledger)) == ["late"]

    async def test_one_that_is_alone_waits_for_all_of_its_group(self, ledger: Ledger) -> None:
        """Those that are not do not wait for it. Catches: a count of those that are alone only."""
        now = await ledger.now()
        first = [call("a", due=now - 3, group="g"), call("b", due=now - 2, group="g", alone=True)]
        await ledger.put("orders", first)
        (a,) = await self.take(ledger)
        await ledger.put("orders", [call("c", due=now - 1, group="g")])
        (c,) = await self.take(ledger)
        assert ids([a, c]) == ["a", "c"]
        await ledger.settle([a])
        assert await self.take(ledger) == []
        await ledger.put_back([c], LONG, begun=False)
        b = await self.one(ledger)
        assert b.call.id == "b"
        await ledger.put("orders", [call("d", group="g")])
        assert ids(await self.take(ledger)) == ["d"]

    async def test_one_that_is_alone_waits_for_the_retry_of_another(self, ledger: Ledger) -> None:
        """What was begun is not over. Catches: a group that is free as soon as nothing of it is taken."""
        now = await ledger.now()
        first = [call("a", due=now - 3, group="g", alone=True), call("b", due=now - 2, group="g", alone=True)]
        await ledger.put("orders", first)
        a = await self.one(ledger)
        await ledger.put_back([a], LONG, begun=True)
        assert await self.take(ledger) == []
        await ledger.put("orders", [call("c", group="g"), call("d", group="h", alone=True)])
        assert ids(await self.take(ledger)) == ["c", "d"], "none that is not alone waits, nor another group"

    async def test_one_that_was_begun_waits_for_none_that_was_not(self, ledger: Ledger) -> None:
        now = await ledger.now()
        first = [call("a", due=now - 3, group="g", alone=True), call("b", due=now - 9, group="h", alone=True)]
        await ledger.put("orders", [*first, call("c", due=now - 5, group="g", alone=True)])
        taken = await self.take(ledger)
        assert ids(taken) == ["b", "c"]
        await ledger.put_back(taken, 0.0, begun=True)
        again = await self.take(ledger)
        assert sorted(ids(again)) == ["b", "c"], "a was never begun, and waits"
        await ledger.settle(again)
        assert ids(await self.take(ledger)) == ["a"]

    async def test_those_that_may_not_be_taken_hide_none_behind_them(self, ledger: Ledger) -> None:
        """Catches: a limit that counts what is passed over, a look at the first few only."""
        now = await ledger.now()
        await ledger.put("orders", [call(f"{n:03}", due=now - 500 + n, group="g", alone=True) for n in range(450)])
        assert len(await self.take(ledger)) == 1
        await ledger.put("orders", [call("behind", due=now - 1)])
        assert ids(await self.take(ledger, 1)) == ["behind"]

    # what becomes of it

    async def test_what_has_expired_is_taken_again_and_its_attempt_counts(self, ledger: Ledger) -> None:
        """Where it stood. Catches: a call that is lost with its owner, a count that begins anew, or a group left."""
        now = await ledger.now()
        await ledger.put("orders", [call("a", due=now - 2, group="g", alone=True), call("b", due=now - 1)])
        first = await self.one(ledger, ttl=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        assert await ledger.waiting("orders") == Waiting(due=2)
        second = await self.one(ledger, "other")
        assert (second.call, second.attempt, second.accepted) == (first.call, 2, first.accepted)
        assert second != first
        assert await ledger.hold([first, second], LONG) == {first}

    async def test_what_is_held_does_not_expire(self, ledger: Ledger) -> None:
        await ledger.put("orders", [call("a"), call("b")])
        taken = await self.take(ledger, ttl=2.0)
        assert await ledger.hold(taken, LONG) == set()
        await asyncio.sleep(2.1)
        assert await self.take(ledger) == []
        assert await ledger.settle(taken) == set()

    @pytest.mark.parametrize("verb", FENCED)
    async def test_an_expired_taking_changes_nothing_though_nobody_followed(self, ledger: Ledger, verb: str) -> None:
        """Catches: a fence by number alone, a lost one that hides the others."""
        now = await ledger.now()
        await ledger.put("orders", [call("a", due=now - 2, group="g"), call("b", due=now - 1, group="h")])
        lost, kept = await self.one(ledger, ttl=SHORT), await self.one(ledger)
        await asyncio.sleep(SHORT + 0.1)
        assert await FENCED[verb](ledger, [lost, kept]) == {lost}
        assert "g" not in await ledger.notes("orders")
        again = (await self.take(ledger))[0]
        assert (again.call.id, again.attempt) == ("a", 2)

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_taking_that_was_followed_changes_nothing(self, ledger: Ledger, verb: str) -> None:
        """By number, of the same owner too. Catches: a fence by owner, or by the id alone."""
        await ledger.put("orders", [call("a", group="g")])
        first = await self.one(ledger)
        await ledger.put_back([first], 0.0, begun=True)
        assert await FENCED[verb](ledger, [first]) == {first}
        second = await self.one(ledger, ttl=SHORT)
        assert await FENCED[verb](ledger, [first]) == {first}
        assert await ledger.waiting("orders") == Waiting(taken=1)
        assert await ledger.notes("orders") == {}
        await asyncio.sleep(SHORT + 0.1)
        third = await self.one(ledger)
        assert (third.call, third.attempt) == (second.call, 3)

    @pytest.mark.parametrize("verb", FENCED)
    async def test_a_taking_of_what_is_gone_changes_nothing(self, ledger: Ledger, verb: str) -> None:
        """Catches: a hold or a return that makes half a call."""
        await ledger.put("orders", [call("a", group="g")])
        taken = await self.one(ledger)
        assert await ledger.settle([taken]) == set()
        assert await FENCED[verb](ledger, [taken]) == {taken}
        assert (await ledger.waiting("orders"), await ledger.notes("orders")) == (Waiting(), {})
        assert await ledger.put("orders", [call("a", group="g")]) == {"a"}
        assert await FENCED[verb](ledger, [taken]) == {taken}
        assert (await self.one(ledger)).attempt == 1

    async def test_of_what_was_put_back_those_attempts_count_that_were_begun(self, ledger: Ledger) -> None:
        await ledger.put("orders", [call("a")])
        seen = []
        for begun in (True, False, False, True, True):
            taken = await self.one(ledger)
            seen.append(taken.attempt)
            assert await ledger.put_back([taken], 0.0, begun=begun) == set()
        assert [*seen, (await self.one(ledger)).attempt] == [1, 2, 2, 2, 3, 4]

    async def test_what_was_alone_when_its_taking_expired_is_known_and_not_what_was_put_back(
        self, ledger: Ledger
    ) -> None:
        """Catches: a word that is lost with its taking, that outlives a return, or that is of another call."""
        now = await ledger.now()
        await ledger.put("orders", [call("a", due=now - 2), call("b", due=now - 1)])
        alone, other = await self.one(ledger, ttl=SHORT), await self.one(ledger, ttl=SHORT)
        assert await ledger.begin_alone(alone)
        assert not alone.was_alone
        await asyncio.sleep(SHORT + 0.1)
        again, other = await self.take(ledger)
        assert [(again.call.id, again.was_alone), (other.call.id, other.was_alone)] == [("a", True), ("b", False)]
        await ledger.put_back([again], 0.0, begun=True)
        assert not (await self.one(ledger)).was_alone

    async def test_what_was_put_back_waits_as_long_as_is_said(self, ledger: Ledger) -> None:
        """And then has the due and the accepted that it had. Catches: a delay that is dropped."""
        await ledger.put("orders", [call("a", due=1.0), call("b", due=2.0)])
        first, second = await self.take(ledger)
        await ledger.put_back([first], SHORT, begun=True)
        await ledger.put_back([second], LONG, begun=True)
        assert await self.take(ledger) == []
        assert await ledger.waiting("orders") == Waiting(later=2)
        await asyncio.sleep(SHORT + 0.1)
        again = await self.one(ledger)
        assert (again.call, again.accepted) == (first.call, first.accepted)
