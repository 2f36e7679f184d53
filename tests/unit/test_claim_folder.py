"""A folder as a claim check: a file a record, for its owner only, whole and on the disk before it counts."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from headrace.destination import CONFIRMED, Said
from headrace.errors import DestinationUnavailable
from headrace_connectors.destinations.file import FileOptions, file
from headrace_connectors.destinations.folder import FolderClaims
from support.messages import message, opening

assert file.claims is not None
CLAIMS = file.claims


def store(folder: Path) -> FolderClaims:
    return FolderClaims(opening(folder=folder), FileOptions(path="big"))


async def test_a_file_for_each_record_for_its_owner_only(tmp_path: Path) -> None:
    """Mutations: readable by others; appended; another file for a repeat."""
    big, one = store(tmp_path), message("a/../b", b'{"n": 1}')
    assert await big.keep(one) == CONFIRMED
    path = Path(big.claim(one)["path"])
    assert (path.parent, path.read_bytes()) == (tmp_path / "big", b'{"n": 1}')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert await big.keep(message("a/../b", b'{"n": 2}', at=7.0)) == CONFIRMED
    assert await big.keep(message("other", b"{}")) == CONFIRMED
    assert path.read_bytes() == b'{"n": 2}'
    assert len(list(path.parent.iterdir())) == 2
    await big.close()


async def test_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutations: confirmed without fsync; named first; a name that is not on the disk."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(file: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file")
        fsync(file)

    def named(self: Path, target: Any) -> Path:
        steps.append("named")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    big = store(tmp_path)
    assert await big.keep(message("a", b"{}")) == CONFIRMED
    assert steps == ["file", "named", "folder", "folder"]
    assert await big.keep(message("a", b"{}")) == CONFIRMED
    assert steps[4:] == ["file", "named", "folder"]
    await big.close()


async def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: what was begun stays, for ever."""
    big = store(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    reply = await big.keep(message("a", b"{}"))
    assert (reply.said, reply.reason) == (Said.FAILED, "No space left on device; make room")
    assert list((tmp_path / "big").iterdir()) == []
    await big.close()


async def test_what_a_claim_stands_for_is_read_from_this_folder_only(tmp_path: Path) -> None:
    """A record says where to look, and anybody may have sent it. Mutation: any file that it names."""
    big, mine, options = store(tmp_path), message("a", b'{"n": 1}'), FileOptions(path="big")
    await big.keep(mine)
    where = opening(folder=tmp_path)
    assert await CLAIMS.fetch(where, options, big.claim(mine)) == b'{"n": 1}'
    (tmp_path / "secret").write_text("s")
    for path in (tmp_path / "secret", tmp_path / "big" / ".." / "secret", "secret"):
        with pytest.raises(ValueError, match="of another place than big"):
            await CLAIMS.fetch(where, options, {"type": "file", "path": str(path)})
    with pytest.raises(DestinationUnavailable, match="No such file"):
        await CLAIMS.fetch(where, options, big.claim(message("gone", b"")))
    await big.close()


def test_what_is_wrong_with_a_folder_is_said_before(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    where = opening(folder=tmp_path)
    rotated = FileOptions.model_validate({"path": "big", "rotate": {"max_bytes": 100000}})
    said = [list(CLAIMS.check(where, one)) for one in (FileOptions(path="taken"), FileOptions(path="a/b"), rotated)]
    assert [(one.path, one.message.split(";")[0]) for (one,) in said] == [
        ("path", "is not a folder"),
        ("path", "the folder that it is in does not exist"),
        ("rotate", "is for a file of lines"),
    ]
    assert list(CLAIMS.check(where, FileOptions(path="big"))) == []
