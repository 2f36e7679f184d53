"""Positions of a shard, and what of an answer lies behind them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headrace_connectors.kinesis.position import Met, arrival, at, beyond, is_after_record, iterator, sequence

LONG = "49590338271490256608559692538361571095921575989136588898"


def page(*numbers: int, at: float = 0.0) -> list[dict]:
    return [{"SequenceNumber": str(number), "ApproximateArrivalTimestamp": at + number} for number in numbers]


@pytest.mark.parametrize(
    ("position", "asked"),
    [
        ("TRIM_HORIZON", {"ShardIteratorType": "TRIM_HORIZON"}),
        (at(1_700_000_000.1239), {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_700_000_000.123}),
        (f"from:{LONG}", {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": LONG}),
        (LONG, {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": LONG}),
    ],
)
def test_each_position_has_its_iterator(position, asked):
    """Catches: a time that is rounded up, past records of its last millisecond."""
    assert iterator(position) == asked


def test_only_digits_are_a_sequence_number():
    assert sequence(LONG) == f"from:{LONG}"
    assert sequence("0") == "from:0"
    for text in ("", "x", "01", "-1", "1.0", " 1", "1" * 130, "\u0661"):
        assert sequence(text) is None
    assert is_after_record(LONG)
    assert not any(map(is_after_record, ("TRIM_HORIZON", "at:1.000", "from:1")))


@pytest.mark.parametrize(
    ("numbers", "left", "met"),
    [
        ((9, 10, 11), ["10", "11"], Met.YES),
        ((9,), [], Met.YES),
        ((8, 9), [], Met.YES),
        ((), [], Met.NOT_YET),
        ((8,), [], Met.NOT_YET),
        ((10, 11), ["10", "11"], Met.NO),
        ((8, 10), ["10"], Met.NO),
        ((100,), ["100"], Met.NO),
    ],
)
def test_a_record_is_met_by_itself_alone(numbers, left, met):
    """Catches: a comparison of texts, by which 10 comes before 9."""
    fresh, found = beyond(page(*numbers), "9")
    assert ([one["SequenceNumber"] for one in fresh], found) == (left, met)


def test_what_is_older_than_its_time_is_left_out():
    """botocore asks in whole seconds. Catches: a start that hands over what came before it."""
    fresh, met = beyond(page(1, 2, 3, at=100.5), at(102.5))
    assert ([one["SequenceNumber"] for one in fresh], met) == (["2", "3"], Met.YES)


def test_the_arrival_is_the_same_in_both_kinds_of_answer():
    told = 1_545_084_650.987
    assert arrival({"ApproximateArrivalTimestamp": told}) == told
    assert arrival({"ApproximateArrivalTimestamp": datetime.fromtimestamp(told, UTC)}) == told


@pytest.mark.parametrize("milliseconds", [1_700_000_000_001, 1_700_000_000_999, 1_763_911_234_567, 1_799_999_999_571])
@pytest.mark.parametrize("beside", [0.0, 0.0004, -0.0004])
def test_the_arrival_is_in_whole_milliseconds_the_nearest(milliseconds, beside):
    """Catches: one that is cut off, or handed on with more digits than Lambda's event has."""
    assert arrival({"ApproximateArrivalTimestamp": milliseconds / 1000 + beside}) == milliseconds / 1000
