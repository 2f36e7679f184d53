"""What an interrupted replay goes on by: on the disk, whole or not at all, and one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.replaying.progress import WHOLE, Busy, Progress


def test_what_was_noted_is_there_for_the_next(tmp_path: Path) -> None:
    """Mutation: a note that replaces the one before."""
    first = Progress(tmp_path / "p")
    first.note("a", ["1"])
    first.note("a", ["2"])
    first.note("b", [WHOLE])
    first.close()
    again = Progress(tmp_path / "p")
    assert (again.done("a"), again.done("b"), again.done("c")) == ({"1", "2"}, {WHOLE}, frozenset())
    again.close()
    restarted = Progress(tmp_path / "p", restart=True)
    assert restarted.done("a") == frozenset()
    restarted.close()


def test_a_torn_line_says_nothing_and_spoils_none(tmp_path: Path) -> None:
    """At every byte that a crash may leave. Mutation, tried: the next note is glued to it, and lost."""
    path = tmp_path / "p"
    made = Progress(path)
    made.note("a", [WHOLE])
    whole = len(path.read_bytes())
    made.note("b", [WHOLE])
    made.close()
    text = path.read_bytes()
    for cut in range(whole, len(text) - 1):
        path.write_bytes(text[:cut])
        torn = Progress(path)
        assert (torn.done("a"), torn.done("b")) == ({WHOLE}, frozenset())
        torn.note("c", [WHOLE])
        torn.close()
        again = Progress(path)
        assert (again.done("a"), again.done("c")) == ({WHOLE}, {WHOLE})
        again.close()


def test_a_letter_that_was_removed_is_forgotten_and_where_nothing_is_left_so_is_the_file(tmp_path: Path) -> None:
    """A message of the same name may come to lie there again. Mutation: it passes for replayed, and is deleted."""
    path = tmp_path / "p"
    made = Progress(path)
    made.note("a", [WHOLE])
    made.forget("a")
    made.note("b", ["1"])
    made.close()
    again = Progress(path)
    assert (again.done("a"), again.done("b")) == (frozenset(), {"1"})
    again.forget("b")
    again.close()
    again.close()
    assert not path.exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    one = Progress(tmp_path / "p")
    with pytest.raises(Busy, match="another replay"):
        Progress(tmp_path / "p")
    one.close()
    Progress(tmp_path / "p").close()
