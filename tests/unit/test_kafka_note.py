"""What stands beside a committed offset, and where a topic begins. Pure."""

from __future__ import annotations

import pytest

from headrace.ledger import Mark
from headrace_connectors.kafka.client import Offset, TopicPartition
from headrace_connectors.kafka.note import Note
from headrace_connectors.kafka.start import Committed, Start, first_step, missing

ZERO, ONE = TopicPartition("t", 0), TopicPartition("t", 1)
MARK = Mark(position="7#2,0x4", attempt=3)


@pytest.mark.parametrize(
    "note",
    [
        Note(),
        Note(owner="a", epoch=3),
        Note(owner="a", epoch=3, crashes=2, mark=MARK, sought="r1"),
    ],
)
def test_a_note_reads_back_as_it_was_written(note: Note) -> None:
    assert Note.of(note.text()) == note
    assert len(note.text()) < 300, "a broker refuses more than 4096 bytes"


@pytest.mark.parametrize("text", ["", "{", "7", "null", '{"headrace":2,"owner":"a","epoch":1,"crashes":0}', "spring"])
def test_what_others_wrote_beside_an_offset_says_nothing(text: str) -> None:
    """Catches: a lane that cannot be opened, since another tool has moved its group."""
    assert Note.of(text) == Note()


def test_an_owner_whose_name_still_stands_there_was_lost() -> None:
    """Catches: a planned move that counts as a crash; an owner that takes its own again and counts itself."""
    lost = Note(owner="a", epoch=3)
    assert lost.taken("b") == Note(owner="b", epoch=4, crashes=1)
    assert lost.taken("a") == Note(owner="a", epoch=4)
    assert lost.left().taken("b") == Note(owner="b", epoch=4)


def test_a_planned_move_forgets_no_crash_and_a_position_that_moves_does() -> None:
    """As in the ledger. Whoever died starts again, and joins: that moves partitions, and the deadly record with them.

    Catches: a count that begins anew with each move, so that the record is never found.
    """
    suspicious = Note(owner="a", epoch=3, crashes=2, mark=MARK)
    assert suspicious.left() == Note(epoch=3, crashes=2, mark=MARK)
    assert suspicious.left().taken("b") == Note(owner="b", epoch=4, crashes=2, mark=MARK)
    assert suspicious.moved() == Note(owner="a", epoch=3)


def test_what_a_group_has_committed_rules() -> None:
    for start in ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"):
        assert first_step(ONE, {ONE: Offset(7)}, start) == Committed(Offset(7))


@pytest.mark.parametrize("start", ["LATEST", "AT_TIMESTAMP"])
def test_partition_0_makes_a_start_concrete_and_the_others_wait_for_it(start: str) -> None:
    """Catches: each for itself (missed after a crash); a new partition that begins at its end."""
    assert first_step(ZERO, {}, start) is Start.CONCRETE
    assert first_step(ONE, {}, start) is Start.WAIT
    assert first_step(ONE, {ZERO: Offset(3)}, start) is Start.BEGINNING
    assert first_step(ZERO, {}, "TRIM_HORIZON") is first_step(ONE, {}, "TRIM_HORIZON") is Start.BEGINNING


def test_a_concrete_start_leaves_alone_what_has_an_offset() -> None:
    assert missing([ZERO, ONE], {ONE: Offset(5)}, {ZERO: 9, ONE: 9}) == {ZERO: Offset(9)}


def test_stray_bytes_behind_a_note_are_left_out() -> None:
    """Catches: a request of an operator's that is forgotten, and carried out again."""
    note = Note(owner="me", epoch=3, crashes=1, sought="a1")
    assert Note.of(note.text() + "\x00\x01}x") == note
