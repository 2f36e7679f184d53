"""Which shards a worker takes and asks for: as it is decided, and as a fleet comes to rest by it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from headrace.balance import Move, choose, sought
from headrace.ledger import Row
from headrace.testing import virtual
from support.fleet import Fleet, Store


def rows(**owners: str | None) -> list[Row]:
    """Shards, each with who holds it; None: nobody."""
    return [
        Row(shard=shard, position="0", owner=owner, left=0 if owner is None else 9) for shard, owner in owners.items()
    ]


def expired(row: Row) -> Row:
    return replace(row, left=0.0)


def decide(
    known: Sequence[Row], owner: str, *, waited: str = "", reserved: str = "", may_ask: bool = True
) -> tuple[set[str], str | None]:
    """What it takes, and which it asks for."""
    move = choose(known, owner, waited=set(waited), reserved=set(reserved), may_ask=may_ask)
    assert len(set(move.take)) == len(move.take)
    return set(move.take), move.ask


def test_what_is_free_is_taken_at_once_up_to_a_fair_share():
    """Of six shards for two that is three. Mutations: all that is free at once; what others hold."""
    taken, asked = decide(rows(a="x", b=None, c=None, d=None, e=None, f=None), "me")
    assert (len(taken), asked) == (3, None)
    assert taken < set("bcdef")


def test_what_nobody_took_in_time_is_taken_whatever_the_balance_says():
    """Mutation: a fair share that is never gone beyond: the shards of the dead stay where they are."""
    known = rows(a="me", b="me", c="x", d="x")
    known = [*known[:2], *map(expired, known[2:])]
    assert decide(known, "me") == ({"c", "d"}, None), "nobody else is seen alive"
    known = [*rows(a="me", b="me", c="me", e="y"), expired(known[2])]
    assert decide(known, "me") == (set(), None), "three of five are its fair share"
    assert decide(known, "me", waited="c") == ({"c"}, None)


def test_what_was_let_go_for_another_is_left_to_that_one():
    """Mutation: taken back by who let it go, and asked for again, for ever."""
    assert decide(rows(a="me", b=None, c="x"), "me", reserved="b", waited="b") == (set(), None)


def test_nothing_is_asked_for_while_something_is_free():
    """Mutation: a planned move, which stops a handler, where none is needed."""
    known = rows(a=None, b="x", c="x", d="x", e="x")
    assert decide(known, "me")[1] is None
    assert decide(known[1:], "me")[1] is not None


@pytest.mark.parametrize(("mine", "theirs", "asks"), [(0, 1, False), (0, 2, True), (2, 3, False), (2, 4, True)])
def test_a_difference_of_one_moves_nothing(mine: int, theirs: int, asks: bool):
    """Hysteresis. Mutation: 1 for 2: of three shards for two one goes to and fro for ever."""
    known = rows(**{f"m{n}": "me" for n in range(mine)}, **{f"t{n}": "x" for n in range(theirs)})
    assert (decide(known, "me")[1] is not None) is asks


def test_one_is_asked_for_at_a_time():
    """Mutations: a second one before the first has come; one from who is asked already; at any time."""
    known = rows(a="x", b="x", c="x", d="y", e="y", f="y")
    assert decide(known, "me", may_ask=False) == (set(), None)
    assert decide(known, "me")[1] is not None
    assert decide([replace(known[0], asked="me"), *known[1:]], "me") == (set(), None)
    assert decide([replace(known[0], asked="another"), *known[1:3]], "me") == (set(), None)


def test_who_holds_most_is_asked():
    """And no one who is asked. Mutation: whoever comes first."""
    known = rows(a="x", b="x", c="y", d="y", e="y", f="y")
    assert decide(known, "me")[1] in set("cdef")
    busy = [*known[:2], replace(known[2], asked="z"), *known[3:]]
    assert decide(busy, "me")[1] in set("ab")


def test_who_holds_nothing_is_counted_while_it_asks():
    """Else its share would be taken at once by others. Mutation: owners alone."""
    known = rows(a="x", b="x", c="x", d=None, e=None, f=None)
    assert len(decide(known, "me")[0]) == 3
    assert len(decide([replace(known[0], asked="new"), *known[1:]], "me")[0]) == 2


def test_workers_begin_at_different_places():
    """Mutation: the order of names: all run for the same row, and all but one in vain."""
    free = rows(**dict.fromkeys("abcdefgh"))
    first = Counter(choose(free, f"worker {n}", waited=(), reserved=(), may_ask=False).take[0] for n in range(100))
    assert len(first) == 8
    assert max(first.values()) < 40


def test_what_an_operator_moved_is_sought_by_its_owner_alone():
    """Mutations: taken again under the epoch that it has; taken by another, which would look like a loss."""
    known = [replace(row, epoch=5) for row in rows(a="me", b="me", c="x")]
    assert sought([*known, replace(known[0], shard="d", left=0.0)], "me", {"a": 4, "b": 5, "c": 4, "d": 4}) == ["a"]


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("shards", [1, 2, 7, 12, 30])
def test_it_comes_to_rest_with_no_move_more_than_is_needed(shards: int, workers: int):
    """From one who holds everything. Mutations: a difference of one that moves; the first of two rich asked twice."""
    names = [f"w{n}" for n in range(workers)]
    held, moves = dict.fromkeys((f"s{n:02}" for n in range(shards)), "w0"), 0
    for turn in range(1000):
        name = names[turn % workers]
        move = choose(rows(**held), name, waited=(), reserved=(), may_ask=True)
        assert move.take == ()
        if move.ask is not None:
            held[move.ask], moves = name, moves + 1
    counts = sorted(Counter(dict.fromkeys(names, 0) | Counter(held.values())).values())
    assert counts[-1] - counts[0] <= 1
    assert moves == shards - Counter(held.values())["w0"], "each shard that moved did so once"
    assert all(choose(rows(**held), name, waited=(), reserved=(), may_ask=True) == Move() for name in names)


class Asked(Store):
    """Keeps who asked, and when."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.asked: list[tuple[str, float]] = []

    async def ask(self, mapping: str, shard: str, by: str) -> bool:
        self.asked.append((by, self._clock.boot()))
        return await super().ask(mapping, shard, by)


@virtual
async def test_in_a_fleet_each_asks_for_one_a_period_and_not_in_step():
    """The period is half a ttl, jittered. Mutations: no period; one without chance; a difference of one that moves."""
    fleet = Fleet(31, ttl=10.0)
    ledger = fleet.ledger = Asked(fleet.clock)
    first = fleet.worker("first").start()
    await fleet.until(lambda: len(first.shards) == 31)
    late = [fleet.worker(name).start() for name in ("b", "c")]
    await fleet.until(lambda: sorted(len(one.shards) for one in (first, *late)) == [10, 10, 11])
    moves = len(ledger.asked)
    await asyncio.sleep(600)
    assert len(ledger.asked) == moves, "a fleet at rest stays so"
    for name in ("b", "c"):
        times = [at for by, at in ledger.asked if by == name]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) >= 0.75 * fleet.ttl / 2
        assert max(gaps) - min(gaps) > fleet.ttl / 20
    for worker in (first, *late):
        await worker.stop()
        assert worker.mapping.report.clean
