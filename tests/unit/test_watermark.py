from __future__ import annotations

from headrace.model import Held
from headrace.watermark import Watermark
from support.engine import record


def tracked(positions: str, size: int = 10):
    mark = Watermark()
    some = [record(f"{index}", size=size, token=position) for index, position in enumerate(positions)]
    mark.track(some)
    return mark, some


def test_nothing_is_reached_before_the_first_is_settled():
    """Mutation: the highest settled position instead of the highest gapless one."""
    mark, some = tracked("ABC")
    mark.settle(some[1:])
    assert mark.reached is None


def test_it_stops_below_a_gap_and_jumps_when_the_gap_closes():
    mark, some = tracked("ABCDE")
    mark.settle([some[0], some[1], some[3]])
    assert mark.reached == "B"
    mark.settle([some[4]])
    assert mark.reached == "B"
    mark.settle([some[2]])
    assert mark.reached == "E"


def test_what_is_above_counts_settled_records_too():
    """Mutation: subtracting what is settled above the mark, with which one poison key lets memory grow."""
    mark, some = tracked("ABCDE")
    mark.settle(some[1:])
    assert mark.above == Held(5, 50)
    mark.settle(some[:1])
    assert mark.above == Held(0, 0)


def test_it_knows_since_when_the_first_above_it_waits():
    """Mutation, tried: the first of its page, settled or not."""
    mark = Watermark()
    assert mark.oldest is None
    some = [record(name, token=name, at=time) for name, time in (("A", 5.0), ("B", 6.0), ("C", 7.0))]
    mark.track(some[:2])
    mark.track(some[2:])
    assert mark.oldest == 5.0
    mark.settle(some[:1])
    assert mark.oldest == 6.0
    mark.settle(some[2:])
    assert mark.oldest == 6.0
    mark.settle(some[1:2])
    assert mark.oldest is None


def test_a_shared_position_is_reached_with_its_last_record():
    """Mutation: a position reached with the first of the records that share it (KPL sub-records lost)."""
    mark, some = tracked("AABBB")
    mark.settle(some[:1])
    assert mark.reached is None
    mark.settle(some[2:5])
    assert mark.reached is None
    mark.settle(some[1:2])
    assert mark.reached == "B"


def test_a_position_that_two_pages_share_is_reached_with_its_last_record():
    """Mutation: only what lies in the same page is looked at."""
    mark, first = tracked("AB")
    more = [record("x", token="B"), record("y", token="C")]
    mark.track(more)
    mark.settle(first)
    assert mark.reached == "A"
    mark.settle(more[:1])
    assert (mark.reached, mark.passed) == ("B", 3)


def test_numbers_go_on_from_page_to_page():
    mark, first = tracked("AB")
    more = [record("x", token="C"), record("y", token="D")]
    mark.track(more)
    assert [one.number for one in (*first, *more)] == [0, 1, 2, 3]
    mark.settle(first)
    assert mark.reached == "B"
    assert mark.above == Held(2, 200)


def test_settling_nothing_changes_nothing():
    mark, _ = tracked("AB")
    mark.settle([])
    assert mark.reached is None


def test_the_order_within_one_settlement_does_not_matter():
    """Mutation: a step by the length of the list, without a look at what lies between its first and last."""
    mark, some = tracked("ABCDEF")
    mark.settle([some[0], some[5], some[2]])
    assert mark.reached == "A"
    mark.settle([some[4], some[3], some[1]])
    assert mark.reached == "F"
