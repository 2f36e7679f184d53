from __future__ import annotations

from headrace.batcher import EVENT_BYTES, Batcher, BatchPolicy
from support.engine import ids, record, records


def test_full_at_its_size():
    batcher = Batcher(BatchPolicy(size=3))
    batcher.add(records("ab"), 0)
    assert not batcher.full
    batcher.add(records("cd"), 0)
    assert batcher.full
    assert ids(batcher.take()) == ["a", "b", "c"]
    assert not batcher.full
    assert len(batcher) == 1


def test_the_window_begins_with_the_first_record():
    """Mutation: a window from the last record, which a steady trickle would never let close."""
    batcher = Batcher(BatchPolicy(size=10, window=5))
    assert batcher.due is None
    batcher.add(records("a"), 100)
    batcher.add(records("b"), 104)
    assert batcher.due == 105


def test_what_stays_keeps_the_time_of_its_own_arrival():
    """Mutation: a window that begins anew, or stays that of the batch before, for what was left behind."""
    batcher = Batcher(BatchPolicy(size=2, window=5))
    batcher.add(records("ab"), 100)
    batcher.add(records("cd"), 103)
    batcher.take()
    assert batcher.due == 108
    batcher.take()
    assert batcher.due is None


def test_due_of_a_page_that_was_taken_in_part():
    batcher = Batcher(BatchPolicy(size=2, window=5))
    batcher.add(records("abc"), 100)
    batcher.take()
    assert batcher.due == 105


def test_six_megabytes_of_event_fill_a_batch():
    """Mutation: counting records only."""
    mb = 2**20
    batcher = Batcher(BatchPolicy(size=100))
    batcher.add(records("abcde", size=mb), 0)
    assert not batcher.full
    batcher.add(records("fg", size=mb), 0)
    assert batcher.full
    batch = batcher.take()
    assert ids(batch) == ["a", "b", "c", "d", "e"]
    assert sum(one.size for one in batch) < EVENT_BYTES
    assert not batcher.full


def test_a_record_that_is_too_large_goes_alone():
    """Mutation: a loop that waits for it to fit."""
    batcher = Batcher(BatchPolicy(size=10, nbytes=100))
    batcher.add([record("a", size=10), record("big", size=500), record("b", size=10)], 0)
    assert [ids(batcher.take()) for _ in range(3)] == [["a"], ["big"], ["b"]]


def test_clear_gives_all_in_order_and_leaves_nothing_due():
    batcher = Batcher(BatchPolicy(size=2, window=5))
    batcher.add(records("abc"), 0)
    batcher.take()
    batcher.add(records("d"), 1)
    assert ids(batcher.clear()) == ["c", "d"]
    assert (len(batcher), batcher.due, batcher.full) == (0, None, False)
    batcher.add(records("e"), 7)
    assert batcher.due == 12


def test_adding_nothing_makes_nothing_due():
    """Mutation: a page without records, whose window would close over an empty batch."""
    batcher = Batcher(BatchPolicy())
    batcher.add([], 0)
    assert batcher.due is None
