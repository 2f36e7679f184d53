"""Batches of a range: each record is in one letter, and letters that were begun keep their bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from headrace.batcher import EVENT_BYTES
from headrace.model import Record, Unreadable
from headrace.replaying.batches import Batch, Batches

LANE = "shardId-0:a-1"


def record(position: int, nbytes: int = 1) -> Record:
    return Record(str(position), None, 0.0, nbytes, token=str(position))


def made(
    records: Iterable[Record], size: int = 2, begun: Sequence[str] = (), but: frozenset[int] = frozenset()
) -> list[Batch]:
    batches = Batches(LANE, size, lambda one: int(one.id) not in but, begun)
    return [batch for one in records for batch in batches.add(one)] + [*batches.rest()]


def shown(batches: Iterable[Batch]) -> list[tuple[str, list[str]]]:
    return [(one.name.removeprefix(f"{LANE}:"), [record.id for record in one.records]) for one in batches]


def test_of_a_size_and_of_what_an_event_may_hold() -> None:
    """Mutations: a batch that waits for the record behind it; one that no event can hold."""
    assert shown(made(map(record, (3, 5, 8)))) == [("3-5", ["3", "5"]), ("8-8", ["8"])]
    assert not [*Batches(LANE, 2, lambda _: True, ()).add(record(1))]
    large = [record(1, EVENT_BYTES - 1), record(2, 2)]
    assert shown(made(large)) == [("1-1", ["1"]), ("2-2", ["2"])]


def test_the_records_of_an_aggregate_share_a_position_and_are_apart_all_the_same() -> None:
    """Mutation, tried: the second letter has the name of the first, so that its records count as replayed."""
    assert shown(made(map(record, (7, 7, 7, 7, 7, 8)))) == [
        ("7-7.1", ["7", "7"]),
        ("7.2-7.3", ["7", "7"]),
        ("7.4-8", ["7", "8"]),
    ]


def test_what_no_event_can_show_is_a_letter_of_its_own() -> None:
    odd = Unreadable("2", "no", None, at=0.0, size=1, token="2")
    assert shown(made([record(1), odd, record(3)])) == [("1-1", ["1"]), ("2-2", ["2"]), ("3-3", ["3"])]


def test_what_the_mapping_does_not_take_is_in_no_letter() -> None:
    assert shown(made(map(record, range(5)), but=frozenset({1, 2}))) == [("0-3", ["0", "3"]), ("4-4", ["4"])]


def test_letters_that_were_begun_keep_their_bounds() -> None:
    """Whatever was trimmed before them, came behind them, or what size is written now. Mutation, tried: without it what
    was replayed is handled again under another name."""
    begun = [f"{LANE}:{name}" for name in ("4-5", "8-8", "2-3")] + ["another:0-9", "*"]
    assert shown(made(map(record, range(3, 12)), size=4, begun=begun)) == [
        ("2-3", ["3"]),
        ("4-5", ["4", "5"]),
        ("6-7", ["6", "7"]),
        ("8-8", ["8"]),
        ("9-11", ["9", "10", "11"]),
    ]


@given(
    positions=st.lists(st.integers(0, 20), max_size=40).map(sorted),
    first=st.tuples(st.integers(1, 5), st.integers(0, 40)),
    again=st.tuples(st.integers(1, 5), st.integers(0, 20)),
)
def test_every_record_is_in_one_letter_whoever_goes_on(
    positions: list[int], first: tuple[int, int], again: tuple[int, int]
) -> None:
    """Some letters of a first reading were replayed; then it is trimmed, and read again in another size."""
    size, some = first
    before = made(map(record, positions[:some]), size)
    replayed = [one.name for one in before[::2]]
    other, trimmed = again
    left = [one for one in positions if one >= trimmed]
    after = made(map(record, left), other, replayed)
    assert [record.id for one in after for record in one.records] == [str(one) for one in left]
    assert len({one.name for one in after}) == len(after)
    done = [record.id for one in after if one.name in replayed for record in one.records]
    assert done == [record.id for one in before[::2] for record in one.records if int(record.id) >= trimmed]
