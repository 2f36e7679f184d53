"""The checker of streams' histories: each kind of breach is found in a small history that was doctored to have it.

What it passes is passed for a reason: each test changes one thing of a history that holds.
"""

from __future__ import annotations

from dataclasses import replace

from headrace.testing.history import Attempt
from headrace.testing.lineage import Lineage, Produced, Write, check_stream

PARENTS = {"child": ("a",)}
RECORDS = [
    Produced(number=1, key="k", shard="a", sequence=10),
    Produced(number=2, key="k", shard="a", sequence=20),
    Produced(number=3, key="k", shard="child", sequence=30),
]


def attempt(number: int, begun: float, *, epoch: int = 1, end: str = "done", call: str = "", lane: str = "") -> Attempt:
    """One that takes half a second, in a call of its own."""
    return Attempt(
        number=number,
        message_id=str(number),
        count=1,
        pid=1,
        call=call or f"call-{number}-{begun}",
        begun=begun,
        lane=lane or RECORDS[number - 1].shard,
        epoch=epoch,
        end=end,
        ended=begun + 0.5 if end else float("inf"),
    )


def wrote(at: float, position: int | None, *, shard: str = "a", epoch: int = 1, verb: str = "commit") -> Write:
    return Write(at=at, verb=verb, shard=shard, epoch=epoch, position=position)


HELD = [attempt(1, 1), attempt(2, 2), attempt(3, 3)]


def look(history: list[Attempt], *writes: Write, **more: object) -> Lineage:
    ordered = sorted(history, key=lambda one: one.begun)
    return check_stream(ordered, RECORDS, parents=PARENTS, writes=writes, **more)  # type: ignore[arg-type]


def kinds(found: Lineage) -> set[str]:
    return {kind for kind, _ in found.breaches}


def test_a_history_that_holds_has_no_breach() -> None:
    found = look(HELD, wrote(1.5, 10), wrote(2.5, 20), wrote(3.5, 30, shard="child"))
    assert found.holds, found
    assert (found.produced, found.settled) == (3, 3)
    assert not found.repeats


def test_one_that_was_never_handled_is_lost_unless_it_was_given_up() -> None:
    assert kinds(look(HELD[:2])) == {"lost"}
    assert look(HELD[:2], given_up={3: 3.0}).holds


def test_one_that_was_only_begun_is_lost() -> None:
    assert kinds(look([*HELD[:2], attempt(3, 3, end="")])) == {"lost"}


def test_one_that_nobody_produced_is_a_stranger() -> None:
    assert kinds(look([*HELD, replace(attempt(3, 4), number=99)])) == {"stranger"}


def test_a_repeat_needs_a_cause() -> None:
    again = attempt(2, 2.6, epoch=2)
    assert kinds(look([*HELD, again])) == {"repeat"}
    found = look([*HELD, again], broken={("a", 1): "kill"})
    assert found.holds, found
    assert found.repeats == {"kill": 1}


def test_a_kill_explains_nothing_under_the_same_lease() -> None:
    assert kinds(look([*HELD, attempt(2, 2.6)], broken={("a", 1): "kill"})) == {"repeat"}


def test_what_failed_comes_again() -> None:
    found = look([HELD[0], attempt(2, 1.6, end="raised"), HELD[1], HELD[2]])
    assert found.holds, found
    assert found.repeats == {"failed": 1}


def test_a_lease_that_was_let_go_of_above_a_gap_explains_what_lay_above_it() -> None:
    """Other keys of the shard go on while 1 is not settled; 2 is of the same shard, so of another key here."""
    records = [RECORDS[0], replace(RECORDS[1], key="other")]
    history = [attempt(2, 1), attempt(1, 3, epoch=2), attempt(2, 3.6, epoch=2)]
    released = wrote(2, None, verb="release")
    assert check_stream(history, records, parents={}, writes=[released]).repeats == {"above a gap": 1}
    settled = [attempt(1, 0.1), *history]
    assert "repeat" in kinds(check_stream(settled, records, parents={}, writes=[released]))


def test_what_an_earlier_lease_settled_and_never_committed_is_a_gap_of_the_next_that_did_not() -> None:
    """The first was broken; the second let go of before 1 was handled again. Simulation, seed 1912."""
    records = [RECORDS[0], replace(RECORDS[1], key="other")]
    history = [attempt(1, 1), attempt(2, 3, epoch=2), attempt(1, 5, epoch=3), attempt(2, 5, epoch=3)]
    more = {"parents": {}, "broken": {("a", 1): "kill"}}
    released = wrote(4, None, epoch=2, verb="release")
    below = wrote(0.5, 5)
    assert check_stream(history, records, writes=[below, released], **more).repeats == {"kill": 1, "above a gap": 1}
    committed = wrote(3.9, 10, epoch=2)
    assert "repeat" in kinds(check_stream(history, records, writes=[below, committed, released], **more))


def test_a_later_one_that_begins_before_an_earlier_of_its_key_is_settled_overtakes_it() -> None:
    assert kinds(look([HELD[0], attempt(2, 1.2), HELD[2]])) == {"overtaken"}


def test_in_one_call_nothing_overtakes() -> None:
    assert look([attempt(1, 1, call="one"), attempt(2, 1, call="one"), HELD[2]]).holds


def test_a_child_that_begins_before_its_parents_are_settled_is_early() -> None:
    """Its key is another's, so that the order by key has nothing to say."""
    records = [*RECORDS[:2], replace(RECORDS[2], key="other")]
    history = [HELD[0], attempt(3, 1.6), HELD[1]]
    assert kinds(check_stream(history, records, parents=PARENTS)) == {"early child"}
    assert check_stream(history, records, parents={}).holds


def test_a_position_above_what_is_not_settled_is_a_gap() -> None:
    assert kinds(look(HELD, wrote(2.2, 20))) == {"gap"}


def test_a_position_goes_back_by_a_seek_only() -> None:
    assert kinds(look(HELD, wrote(2.6, 20), wrote(2.7, 10))) == {"backward"}
    assert look(HELD, wrote(2.6, 20), wrote(2.65, None, epoch=2, verb="seek"), wrote(2.7, 10, epoch=2)).holds


def test_a_write_under_an_epoch_that_was_passed_is_stale() -> None:
    found = look(HELD, wrote(0.5, None, epoch=2, verb="acquire"), wrote(2.6, 20))
    assert kinds(found) == {"stale"}


def test_what_lies_below_a_committed_position_is_never_begun_again() -> None:
    """Whatever was done to its lease. Mutation that it is for: a start that does not read the position."""
    again, broken = attempt(1, 2.6, epoch=2), {("a", 1): "kill"}
    assert kinds(look([*HELD, again], wrote(1.6, 10), broken=broken)) == {"behind"}
    assert look([*HELD, again], broken=broken).holds
    sought = wrote(2, None, epoch=2, verb="seek")
    assert look([*HELD, again], wrote(1.6, 10), sought, broken=broken).holds
