"""Who runs a config's testbed: known by a lock, so that nothing stale is ever believed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headrace_connectors.testbed.place import Place, Running, TakenError, cache

RUNNING = Running(pid=os.getpid(), bootstrap_servers="h:1", broker="Kafka", since=5.0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Place(tmp_path / "shop.yaml")


def test_what_runs_is_found_while_it_is_held_and_not_afterwards(place: Place) -> None:
    assert place.running() is None
    with place.held():
        assert place.running() is None
        place.tell(RUNNING)
        assert place.running() == RUNNING
        with pytest.raises(TakenError), place.held():
            pass
        assert place.running() == RUNNING
    assert not place.is_held
    assert place.running() is None


def test_what_another_version_wrote_is_read_as_far_as_it_is_known(place: Place) -> None:
    with place.held():
        place.tell(RUNNING)
        told = next(cache().glob("testbed/*/running.json"))
        told.write_text(json.dumps({**json.loads(told.read_text()), "colour": "red"}))
        assert place.running() == RUNNING


def test_what_a_killed_process_left_behind_is_not_believed(place: Place) -> None:
    place.folder.mkdir(parents=True)
    script = (
        "import sys, time; from pathlib import Path; from headrace_connectors.testbed.place import Place, Running\n"
        "place = Place(Path(sys.argv[1]))\n"
        "with place.held():\n"
        "    place.tell(Running(pid=1, bootstrap_servers='h:1', broker='Kafka'))\n"
        "    print('held', flush=True); time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(place.folder.parents[2] / ".." / "shop.yaml")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        told = next(cache().glob("testbed/*/running.json"))
        other = Place(place.folder.parents[2].parent / "shop.yaml")
        assert other.running() is not None
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert json.loads(told.read_text())["pid"] == 1
        assert other.running() is None
        with other.held():
            assert not told.exists()


def test_each_config_has_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "shop.yaml")
    (tmp_path / "shop.yaml").touch()
    shop = Place(tmp_path / "shop.yaml").folder
    assert Place(tmp_path / "link.yaml").folder == shop
    assert Place(tmp_path / "other" / "shop.yaml").folder != shop
