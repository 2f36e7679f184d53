# ruff: noqa: S101, PLR2004 - this is a suite: it asserts, and the expected number is the point of a test
"""What every store's verdicts must do: a suite for the authors of stores, beside `LedgerConformance`.

```python
class TestMyVerdicts(VerdictsConformance):
    @pytest.fixture
    async def ledger(self, server) -> AsyncIterator[Ledger]:
        yield await open_mine(LedgerOpening(url=server.url, service=unique_name()))
```

The fixture gives an empty one. Time is the loop's own, as in `conformance`. Needs pytest.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from headrace.ledger import Ledger
from headrace.testing.ledger_steps import LONG, SHORT
from headrace.verdicts import Standing, State

BEGUN, HELD, DONE = State.BEGUN, State.HELD, State.DONE


class VerdictsConformance:
    """Subclass it and give a fixture `ledger`."""

    async def begin(
        self, ledger: Ledger, keys: str, holder: str = "w 1", *, seconds: float = LONG, mapping: str = "orders"
    ) -> dict[str, State]:
        found = await ledger.begin(mapping, list(keys), holder, seconds)
        assert all(0 < one.left < LONG + 0.01 for one in found.values())
        return {key: one.state for key, one in found.items()}

    async def finish(self, ledger: Ledger, keys: str, holder: str = "w 1", expires_after: float = LONG) -> set[str]:
        return set(await ledger.finish("orders", list(keys), holder, expires_after))

    async def test_a_key_is_begun_once_and_then_done(self, ledger: Ledger) -> None:
        """Catches: a hold that is not seen, a verdict that is not kept, an answer for another key."""
        assert await self.begin(ledger, "ab") == {"a": BEGUN, "b": BEGUN}
        assert await self.begin(ledger, "cb", "w 2") == {"c": BEGUN, "b": HELD}
        assert await self.finish(ledger, "a") == set()
        assert await self.begin(ledger, "abcd", "w 3") == {"a": DONE, "b": HELD, "c": HELD, "d": BEGUN}
        assert await self.begin(ledger, "a") == {"a": DONE}, "who did it begins it no more either"

    async def test_what_is_left_is_told(self, ledger: Ledger) -> None:
        """Catches: a moment instead of seconds, the hold's for the verdict's."""
        begun = await ledger.begin("orders", ["a", "b"], "w 1", 100.0)
        assert begun["a"] == Standing(BEGUN, 100.0)
        await ledger.finish("orders", ["b"], "w 1", 300.0)
        found = await ledger.begin("orders", ["a", "b"], "w 2", LONG)
        assert 90 < found["a"].left <= 100
        assert 290 < found["b"].left <= 300

    async def test_mappings_know_nothing_of_each_other(self, ledger: Ledger) -> None:
        await self.begin(ledger, "a")
        assert await self.begin(ledger, "a", "w 2", mapping="refunds") == {"a": BEGUN}

    async def test_any_text_is_a_key_and_a_holder(self, ledger: Ledger) -> None:
        keys, holder = ["", "é: ", "a" * 300, "d", "h", "0"], "höst:1:ab 7"
        for state in (BEGUN, BEGUN):
            found = await ledger.begin("a/é: ", keys, holder, LONG)
            assert {key: one.state for key, one in found.items()} == dict.fromkeys(keys, state)
        assert await ledger.finish("a/é: ", keys, holder, LONG) == set()
        found = await ledger.begin("a/é: ", keys, holder, LONG)
        assert {one.state for one in found.values()} == {DONE}

    async def test_nothing_is_nothing(self, ledger: Ledger) -> None:
        assert await ledger.begin("orders", [], "w 1", LONG) == {}
        assert await ledger.finish("orders", [], "w 1", LONG) == set()
        await ledger.let_go("orders", [], "w 1")

    async def test_two_never_begin_one_key(self, ledger: Ledger) -> None:
        """Catches: a look and a write in two steps."""
        keys = "abcdefghij"
        begun = await asyncio.gather(*(self.begin(ledger, keys[n % 5 :] + keys[: n % 5], f"w {n}") for n in range(20)))
        counted = Counter(key for one in begun for key, state in one.items() if state is BEGUN)
        assert counted == dict.fromkeys(keys, 1)

    async def test_a_repeat_under_the_same_holder_begins_again(self, ledger: Ledger) -> None:
        """An answer may have been lost. And so a hold is prolonged. Catches: a repeat that meets itself as another."""
        assert await self.begin(ledger, "a", seconds=2.0) == {"a": BEGUN}
        assert await self.begin(ledger, "ab") == {"a": BEGUN, "b": BEGUN}
        await asyncio.sleep(2.1)
        assert await self.begin(ledger, "a", "w 2") == {"a": HELD}

    async def test_a_hold_ends_at_its_time_and_no_sooner(self, ledger: Ledger) -> None:
        """Catches: a hold that is lost with its holder, or that another's look prolongs."""
        await self.begin(ledger, "a", seconds=SHORT)
        assert await self.begin(ledger, "a", "w 2") == {"a": HELD}
        await asyncio.sleep(SHORT + 0.1)
        assert await self.begin(ledger, "a", "w 3") == {"a": BEGUN}

    async def test_what_was_let_go_is_free_at_once(self, ledger: Ledger) -> None:
        await self.begin(ledger, "ab")
        await ledger.let_go("orders", ["a", "c"], "w 1")
        assert await self.begin(ledger, "ab", "w 2") == {"a": BEGUN, "b": HELD}
        await ledger.let_go("orders", ["a"], "w 1")
        assert await self.begin(ledger, "a", "w 3") == {"a": HELD}, "of another nothing is let go"

    async def test_who_was_overtaken_changes_nothing(self, ledger: Ledger) -> None:
        """Catches: a write that looks at the key alone, one lost key that hides the others."""
        await self.begin(ledger, "ab", seconds=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        await self.begin(ledger, "a", "w 2")
        assert await self.finish(ledger, "ab") == {"a"}
        assert await self.begin(ledger, "ab", "w 3") == {"a": HELD, "b": DONE}
        await ledger.let_go("orders", ["a"], "w 1")
        assert await self.finish(ledger, "a", "w 2") == set()
        assert await self.finish(ledger, "a") == {"a"}

    async def test_what_was_run_is_done_though_its_hold_had_expired(self, ledger: Ledger) -> None:
        """While nobody else has it, and gone as it may be by then. Catches: a fence by the hold's time alone."""
        await self.begin(ledger, "a", seconds=SHORT)
        await asyncio.sleep(SHORT + 0.1)
        await self.begin(ledger, "b", "w 2")
        assert await self.finish(ledger, "a") == set()
        assert await self.begin(ledger, "a", "w 3") == {"a": DONE}

    async def test_a_verdict_that_is_written_again_is_the_same(self, ledger: Ledger) -> None:
        """An answer may have been lost. Catches: a repeat that is told that another has it."""
        await self.begin(ledger, "a")
        assert await self.finish(ledger, "a") == set()
        assert await self.finish(ledger, "a") == set()
        await ledger.let_go("orders", ["a"], "w 1")
        assert await self.begin(ledger, "a", "w 2") == {"a": DONE}, "what is done is not let go"

    async def test_a_verdict_is_forgotten_at_its_time(self, ledger: Ledger) -> None:
        """Catches: one that is kept for ever, or that a look prolongs."""
        await self.begin(ledger, "ab")
        await self.finish(ledger, "a", expires_after=SHORT)
        await self.finish(ledger, "b")
        assert await self.begin(ledger, "a", "w 2") == {"a": DONE}
        await asyncio.sleep(SHORT + 0.1)
        assert await self.begin(ledger, "ab", "w 3") == {"a": BEGUN, "b": DONE}

    async def test_verdicts_stand_beside_leases_and_calls(self, ledger: Ledger) -> None:
        """Catches: a mapping's graph that a verdict makes."""
        await self.begin(ledger, "a")
        graph = await ledger.rows("orders")
        assert (graph.identity, graph.rows, (await ledger.waiting("orders")).total) == (None, (), 0)
