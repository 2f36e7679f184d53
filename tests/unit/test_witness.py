"""What a machine remembers of a store, in files of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.witness import Begun, FileWitness, Witness, witness_of
from support.engine import Lines

URL = "redis://user:secret@store:6379/0?sentinel_password=secret"


def opened(folder: Path, url: str = URL, service: str = "shop") -> FileWitness:
    return FileWitness(url, service, log=Lines(), folder=folder)


def test_what_was_seen_outlives_the_process(tmp_path: Path) -> None:
    """Mutation: kept in memory."""
    opened(tmp_path).saw("clicks", "arn:clicks", "g1")
    begun = opened(tmp_path).begun("clicks")
    assert begun is not None
    assert (begun.identity, begun.generation, begun.store) == ("arn:clicks", "g1", "redis://store:6379/0")
    assert begun.since.startswith("20")
    opened(tmp_path).saw("clicks", "arn:clicks", "g2")
    again = opened(tmp_path).begun("clicks")
    assert again is not None
    assert again.generation == "g2"


def test_a_store_a_service_and_a_mapping_are_each_their_own(tmp_path: Path) -> None:
    """Mutation: a name that leaves one of them out."""
    opened(tmp_path).saw("clicks", "arn", "g")
    assert opened(tmp_path).begun("orders") is None
    assert opened(tmp_path, service="bank").begun("clicks") is None
    assert opened(tmp_path, "redis://store:6379/1").begun("clicks") is None
    assert opened(tmp_path, "redis://store:6379/0").begun("clicks"), "another password is the same store"


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """Mutation: the URL as it was given."""
    opened(tmp_path).saw("clicks", "arn", "g")
    (file,) = tmp_path.iterdir()
    assert "secret" not in file.read_text()


def test_a_file_that_is_damaged_still_says_that_something_was_begun(tmp_path: Path) -> None:
    """Mutation: read as nothing: an emptied store is a first start."""
    opened(tmp_path).saw("clicks", "arn", "g")
    (file,) = tmp_path.iterdir()
    for text in ("", "[]", '{"identity": "arn"}', "\0"):
        file.write_text(text)
        found = opened(tmp_path).begun("clicks")
        assert isinstance(found, Begun)
        assert found.store == "redis://store:6379/0"


def test_where_nothing_can_be_written_it_is_said_once(tmp_path: Path) -> None:
    """Mutation: an error that ends the mapping; silence."""
    (tmp_path / "file").write_text("in the way")
    lines = Lines()
    witness = FileWitness(URL, "shop", log=lines, folder=tmp_path / "file")
    for mapping in ("clicks", "orders"):
        witness.saw(mapping, "arn", "g")
        assert witness.begun(mapping) is None
    (line,) = lines.of("witness.not_kept")
    assert "XDG_STATE_HOME" in line["mend"]


def test_by_default_it_is_where_state_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a relative XDG_STATE_HOME, which the specification has ignored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for state, folder in ((str(tmp_path / "x"), "x"), ("relative", "home/.local/state"), ("", "home/.local/state")):
        monkeypatch.setenv("XDG_STATE_HOME", state)
        witness: Witness = witness_of("sqlite:shop.db", "shop", Lines())
        witness.saw("clicks", "arn", "g")
        assert list((tmp_path / folder / "headrace" / "begun").glob("*.json"))
    assert witness_of(f"sqlite:{tmp_path / 'shop.db'}", "shop", Lines()).begun("clicks"), "the same file"


def test_memory_is_not_remembered() -> None:
    """It is empty at each start. Mutation: a witness of it, which would stop every second start."""
    witness = witness_of("memory:", "shop", Lines())
    witness.saw("clicks", "arn", "g")
    assert witness.begun("clicks") is None
