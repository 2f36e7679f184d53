"""Several `calls_worker`s at one store, and what their logs and the store must show when they have been killed."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from headrace.ledger import Ledger
from support.calls_worker import TTL
from support.ledger_fleet import Fleet

SLACK = 0.01
"""Seconds by which two clocks of one machine may differ over a TTL."""


class CallsFleet(Fleet):
    worker, word = "support.calls_worker", "settle"

    async def check(self, ledger: Ledger) -> None:
        """Every call that came with a position was settled, by one, or is there still; no two held one at a time."""
        lines = self.lines()
        settled = {id_: owner for word, id_, _, owner, *_ in lines if word == "settle"}
        assert len(settled) == sum(line[0] == "settle" for line in lines), "a call was settled by two"
        notes = await ledger.notes("m")
        assert settled.items() <= notes.items(), "what was settled was taken back"
        left = await self._drain(ledger)
        (row,) = (await ledger.rows("m")).rows
        assert sorted([*notes, *left], key=int) == [str(number) for number in range(1, int(row.position) + 1)]
        self._check_takings(lines)

    async def _drain(self, ledger: Ledger) -> list[str]:
        """What was not settled, once the takings of the killed have expired."""
        left = []
        async with asyncio.timeout(30):
            while (await ledger.waiting("m")).total:
                taken = await ledger.take("m", "check", 100, 60.0)
                left += [one.call.id for one in taken]
                assert await ledger.settle(taken) == set()
                await asyncio.sleep(0.05)
        return left

    def _check_takings(self, lines: list[list[str]]) -> None:
        """A call that was not put back is given to another when its ttl, counted from the asking, is over."""
        back = {(id_, number) for word, id_, number, *_ in lines if word == "back"}
        settlers = {id_: number for word, id_, number, *_ in lines if word == "settle"}
        takes = [line for line in lines if line[0] == "take"]
        assert len({number for _, _, number, *_ in takes}) == len(takes), "a number was given twice"
        expired = 0
        of: dict[str, list[tuple[int, str, float, float]]] = {}
        for _, id_, number, _, attempt, asked, answered in takes:
            of.setdefault(id_, []).append((int(attempt), number, float(asked), float(answered)))
        for id_, some in of.items():
            for (attempt, number, asked, _), (later, _, _, answered) in pairwise(sorted(some)):
                assert attempt < later, "an attempt was counted for two"
                if (id_, number) not in back:
                    expired += 1
                    assert answered >= asked + TTL - SLACK, "two held one call"
            last = max(some)[1]
            assert settlers.get(id_, last) == last, "who was overtaken settled it"
        assert expired, "nobody was killed or overtaken at it: this was no test"
