from __future__ import annotations

import pytest

from headrace.model import Order, Traits
from headrace.policy import EXHAUSTED, Bisect, Discard, FailurePolicy, GiveBack, Retry, halves, part
from support.engine import ids, record, records

QUEUE = Traits(Order.NONE, redelivers=True)
LOG = Traits(Order.SEQUENCE, redelivers=False)


@pytest.mark.parametrize(
    ("policy", "failed", "attempt", "progress", "decision"),
    [
        # until success, with doubling
        (FailurePolicy(backoff=1), 3, 1, False, Retry(1, 2)),
        (FailurePolicy(backoff=1), 3, 4, False, Retry(8, 5)),
        (FailurePolicy(backoff=1, ceiling=5), 3, 4, False, Retry(5, 5)),
        (FailurePolicy(), 3, 999, False, Retry(0, 1000)),
        # a budget: the first attempt does not count against it
        (FailurePolicy(retries=0), 3, 1, False, Discard(EXHAUSTED)),
        (FailurePolicy(retries=2), 3, 2, False, Retry(0, 3)),
        (FailurePolicy(retries=2), 3, 3, False, Discard(EXHAUSTED)),
        # progress: a new batch with its own count
        (FailurePolicy(retries=2, backoff=1), 3, 3, True, Retry(1, 1)),
        (FailurePolicy(retries=0), 1, 1, True, Retry(0, 1)),
        (FailurePolicy(bisect=True), 4, 2, True, Retry(0, 1)),
        # bisection: before the budget, and for more than one record only
        (FailurePolicy(bisect=True, retries=0), 2, 1, False, Bisect()),
        (FailurePolicy(bisect=True, retries=0), 1, 1, False, Discard(EXHAUSTED)),
        (FailurePolicy(bisect=True), 1, 1, False, Retry(0, 2)),
    ],
)
def test_what_a_log_decides(policy, failed, attempt, progress, decision):
    """Mutations: > for >= in the budget; bisect before progress; a count that goes on after progress."""
    assert policy.decide(LOG, failed=failed, attempt=attempt, progress=progress) == decision


@pytest.mark.parametrize(
    ("retries", "named", "gone", "again"),
    [
        (None, None, "", "abc"),
        (0, None, "abc", ""),
        (1, None, "bc", "a"),
        (2, None, "c", "ab"),
        (3, None, "", "abc"),
        (1, {"a", "b"}, "b", "ac"),
        (0, {"c"}, "c", "ab"),
    ],
)
def test_a_queue_gives_up_each_record_by_its_own_count(retries, named, gone, again):
    """Mutations: >= for > in the budget; the batch's count for all of it; what nobody named pays too."""
    some = records("abc")
    for attempt, one in enumerate(some, 1):
        one.attempt = attempt
    spent, rest = FailurePolicy(retries=retries).spent(some, named)
    assert ("".join(ids(spent)), "".join(ids(rest))) == (gone, again)


@pytest.mark.parametrize("progress", [False, True])
@pytest.mark.parametrize("policy", [FailurePolicy(), FailurePolicy(retries=0), FailurePolicy(bisect=True)])
def test_a_queue_always_gives_back(policy, progress):
    """In the source's own time, as Lambda does. Mutation: a delay of 0, which turns one failure into a hot loop."""
    assert policy.decide(QUEUE, failed=2, attempt=9, progress=progress) == GiveBack(None)


def test_a_queue_with_backoff_doubles_to_its_ceiling():
    policy = FailurePolicy(backoff=10, ceiling=60)
    assert [policy.delay(attempt) for attempt in (0, 1, 2, 3, 4, 10_000)] == [10, 10, 20, 40, 60, 60]


def test_only_the_prefix_expires():
    """Mutation: every old record anywhere in the batch, which would move records past younger ones."""
    policy = FailurePolicy(max_age=60)
    some = [record("a", at=0), record("b", at=10), record("c", at=100), record("d", at=0)]
    assert policy.expired(some, 100) == 2
    assert policy.expired(some, 70) == 1
    assert policy.expired(some, 60) == 0
    assert policy.expired(some, 1000) == 4
    assert FailurePolicy().expired(some, 1e9) == 0


def test_in_a_sequence_everything_from_the_lowest_failure_comes_again():
    """Mutation: parting by listed ids, with which a success after a failure is settled before it."""
    good, bad = part(records("abcde"), {"d", "b"}, Order.SEQUENCE)
    assert (ids(good), ids(bad)) == (["a"], ["b", "c", "d", "e"])


@pytest.mark.parametrize("order", [Order.NONE, Order.KEY])
@pytest.mark.parametrize("strict", [False, True])
def test_elsewhere_only_what_is_listed(order, strict):
    some = [record("a", "x"), record("b", "x"), record("c", "y"), record("d", "x")]
    good, bad = part(some, {"b"}, order, strict=strict)
    follows = strict and order is Order.KEY
    assert ids(bad) == (["b", "d"] if follows else ["b"])
    assert ids(good) == (["a", "c"] if follows else ["a", "c", "d"])


def test_halves_are_in_order_and_never_empty():
    for count in range(2, 9):
        early, late = halves(records("abcdefgh"[:count]))
        assert ids(early) + ids(late) == list("abcdefgh"[:count])
        assert 0 < len(early) <= len(late) <= len(early) + 1
