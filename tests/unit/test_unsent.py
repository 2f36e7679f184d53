from __future__ import annotations

from headrace.unsent import COMING_BACK, REMEMBERED, Unsent
from support.engine import record, records


def test_what_is_held_goes_before_what_was_refused_and_the_longest_wait_counts():
    unsent = Unsent()
    assert unsent.condition(0) is None
    unsent.refuse(record("r"), "too large", until=30, now=100)
    unsent.hold("one", 3, "away", 200)
    unsent.hold("two", 4, "away", 150)
    unsent.hold("one", 2, "still away", 300)
    found = unsent.condition(0)
    assert (found.state, found.since) == ("holding", 150)
    assert found.reason.startswith("6 records are held")
    unsent.release("two")
    assert (unsent.condition(0).since, unsent.condition(0).reason.rpartition(": ")[2]) == (200, "still away")
    unsent.release("one")
    unsent.release("one")
    assert (unsent.condition(0).state, unsent.condition(0).since) == ("refused", 100)


def test_a_refused_record_is_told_until_it_is_settled_or_does_not_come_again():
    """Mutation: told for ever, although the queue's own redrive policy has long taken it."""
    unsent = Unsent()
    one, other = records("ab")
    unsent.refuse(one, "too large", until=30, now=100)
    unsent.refuse(other, "too large", until=1000, now=110)
    assert unsent.condition(30 + COMING_BACK - 1).reason.startswith("2 records are")
    assert unsent.condition(30 + COMING_BACK).reason.startswith("1 record is refused")
    unsent.refuse(one, "too large", until=200, now=190)  # it came again, late
    unsent.settled([other])
    assert unsent.condition(100).reason.endswith("a: too large")
    assert unsent.condition(100).since == 100
    unsent.settled([one])
    assert unsent.condition(100) is None


def test_it_keeps_no_more_than_so_many_in_mind():
    unsent = Unsent()
    for number in range(REMEMBERED + 10):
        unsent.refuse(record(str(number)), "too large", until=1000, now=0)
    assert unsent.condition(0).reason.startswith(f"{REMEMBERED} records")
