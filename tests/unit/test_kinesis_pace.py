"""The pace of a shard: five calls and 2 MiB a second, whoever calls."""

from __future__ import annotations

import base64

from headrace_connectors.kinesis.pace import Pace, nbytes

MIB = 2**20


def times(pace: Pace, count: int, size: int = 0) -> list[float]:
    """When *count* calls go whose callers wait no longer than they must."""
    went, now = [], 100.0
    for _ in range(count):
        now = max(now, pace.due)
        went.append(now)
        pace.sent(now)
        pace.served(now, size)
    return went


def test_no_second_holds_more_than_five_calls():
    """Catches: a burst at the turn of a second; a count that is kept by each reader."""
    went = times(Pace(), 12)
    assert went[0] == 100.0
    assert all(later - earlier >= 1 - 1e-9 for earlier, later in zip(went, went[5:], strict=False))
    assert went[10] - went[0] < 2.001


def test_what_was_read_is_paid_for_in_time():
    """Catches: a page of 10 MiB, after which Kinesis refuses for five seconds, followed at once."""
    went = times(Pace(), 3, 10 * MIB)
    assert [round(one - 100, 3) for one in went] == [0, 5, 10]


def test_answers_of_two_readers_are_paid_for_one_after_the_other():
    """Catches: the later answer's debt in place of both."""
    pace = Pace()
    pace.sent(100.0)
    pace.sent(100.0)
    pace.served(100.1, 4 * MIB)
    pace.served(100.2, 4 * MIB)
    assert round(pace.due, 3) == 104.1


def test_idle_time_buys_nothing():
    pace = Pace()
    pace.served(100.0, MIB)
    pace.sent(500.0)
    pace.served(500.0, MIB)
    assert pace.due == 500.5


def test_data_counts_as_bytes_whether_it_came_as_text_or_not():
    data = b"x" * 300
    raw, lean = ({"Data": form, "PartitionKey": "key"} for form in (data, base64.b64encode(data).decode()))
    assert nbytes([raw] * 2) == nbytes([lean] * 2) == 606
    assert nbytes([]) == 0
