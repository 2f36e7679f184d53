"""One assignment of a partition: slices of what was polled, how much it wants, and where it may rest."""

from __future__ import annotations

import pytest

from headrace.clock import SYSTEM
from headrace.model import LaneLost, Record
from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.partition import MOST_BYTES, MOST_RECORDS, Partition


def records(first: int, count: int, size: int = 100) -> list[Record]:
    return [Record(f"t-0:{n}", object(), 1.0, size, None, str(n)) for n in range(first, first + count)]


@pytest.fixture
def partition() -> Partition:
    return Partition(TopicPartition("t", 0), clock=SYSTEM)


def deliver(partition: Partition, page: list[Record]) -> None:
    partition.polled(page)
    partition.deliver(page)


async def test_pages_are_served_in_slices_and_in_order(partition: Partition) -> None:
    """Mutation: a slice that begins at the page's beginning again."""
    deliver(partition, records(0, 5))
    deliver(partition, records(5, 2))
    served = [[one.token for one in await partition.read(limit)] for limit in (2, 2, 10, 10)]
    assert served == [["0", "1"], ["2", "3"], ["4"], ["5", "6"]]
    assert partition.drained


async def test_it_wants_no_more_once_it_is_full_until_half_is_read(partition: Partition) -> None:
    """Mutation: bounds by records alone; one that wavers at its bound."""
    deliver(partition, records(0, MOST_RECORDS))
    assert not partition.hungry()
    await partition.read(MOST_RECORDS // 2 - 1)
    assert not partition.hungry()
    await partition.read(2)
    assert partition.hungry()
    deliver(partition, records(MOST_RECORDS, 2, size=MOST_BYTES // 2))
    assert not partition.hungry()


async def test_it_rests_at_no_offset_that_is_behind_what_was_read_or_ahead_of_it(partition: Partition) -> None:
    """Mutation: the position of a poll that came late taken for the place to rest; one that skips what waits."""
    partition.passed(3)
    deliver(partition, records(3, 4))
    partition.passed(7)
    assert partition.behind_all is None, "what was delivered waits still"
    await partition.read(10)
    assert partition.behind_all == 7
    deliver(partition, records(7, 2))
    await partition.read(10)
    assert partition.behind_all is None, "7 lies behind what was read"
    partition.passed(12)
    assert partition.behind_all == 12, "markers were passed"
    partition.moved()
    assert partition.behind_all is None, "of a topic that was made again"


async def test_behind_is_the_age_of_the_oldest_that_waits(partition: Partition) -> None:
    """Mutation: 0 while anything waits, or None at the tip."""
    assert partition.behind is None
    deliver(partition, records(0, 1))
    assert (partition.behind or 0) > 1000
    await partition.read(1)
    partition.passed(1)
    partition.tip = 1
    assert partition.behind == 0
    partition.tip = 5
    assert (partition.behind or 0) > 1000


async def test_who_waits_for_it_to_go_is_told_once_it_has_gone(partition: Partition) -> None:
    told: list[str] = []
    partition.when_gone(lambda: told.append("before"))
    assert not told
    partition.gone()
    partition.when_gone(lambda: told.append("after"))
    assert told == ["before", "after"]


async def test_it_is_lost_for_the_first_reason(partition: Partition) -> None:
    """Mutation: a deadline that passes and is not noticed."""
    assert await partition.leave(lambda: SYSTEM.boot() - 1) == 0
    partition.lose("another reason")
    with pytest.raises(LaneLost, match="has not answered for as long as a session lasts"):
        partition.still_ours()
