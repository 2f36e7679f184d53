"""How Apache Kafka comes onto a machine, with a Maven and a Java that only do as if."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed import installation
from headrace_connectors.testbed.jars import JARS
from support.executables import Machine, machine

__all__ = ["machine"]


@pytest.fixture
def ready(machine: Machine) -> Machine:
    machine.java(17)
    machine.maven()
    return machine


def test_it_is_fetched_once_and_told_of(ready: Machine, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    assert not installation.at_hand(tmp_path / "cache")
    found = installation.prepare(tmp_path / "cache", lambda *one: told.append(one))
    assert {path.name for path in found.jars.iterdir()} == set(JARS)
    assert [done for what, done, _ in told if what.startswith("fetching")] == list(range(len(JARS) + 1))
    assert installation.at_hand(tmp_path / "cache")
    told.clear()
    assert installation.prepare(tmp_path / "cache", lambda *one: told.append(one)) == found
    assert (told, ready.called("mvn")) == ([], 1)


def test_it_leaves_nothing_else_in_the_cache(ready: Machine, tmp_path: Path) -> None:
    found = installation.prepare(tmp_path / "cache")
    kept = {path.name.partition("-")[0] for path in found.jars.parent.iterdir()}
    assert kept == {"classes", "formatted", "jars", "lock"}


def test_a_java_that_writes_no_archive_is_not_asked_again(ready: Machine, tmp_path: Path) -> None:
    assert installation.prepare(tmp_path / "cache").archive is None
    asked = ready.called("java")
    installation.prepare(tmp_path / "cache")
    assert ready.called("java") == asked + 1  # its version


def test_jars_of_another_time_have_an_archive_of_their_own(ready: Machine, tmp_path: Path) -> None:
    """Mutation: one archive for a Java, whatever became of the jars; Java would pass it by in silence."""
    found = installation.prepare(tmp_path / "cache")
    os.utime(found.jars / JARS[0], (1, 1))
    installation.prepare(tmp_path / "cache")
    assert len(list(found.jars.parent.glob("classes-*.jsa"))) == 2


def test_several_at_once_fetch_once(ready: Machine, tmp_path: Path) -> None:
    threads = [threading.Thread(target=installation.prepare, args=(tmp_path / "cache",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ready.called("mvn") == 1


def test_a_jar_that_was_lost_is_fetched_again(ready: Machine, tmp_path: Path) -> None:
    found = installation.prepare(tmp_path / "cache")
    (found.jars / JARS[0]).unlink()
    assert not installation.at_hand(tmp_path / "cache")
    installation.prepare(tmp_path / "cache")
    assert (ready.called("mvn"), (found.jars / JARS[0]).exists()) == (2, True)
    assert len(list(found.jars.parent.glob("classes-*.jsa"))) == 1


def test_a_fetch_that_fails_says_why_and_leaves_no_half(machine: Machine, tmp_path: Path) -> None:
    machine.java(17)
    machine.maven(fails=True)
    with pytest.raises(ServerUnavailable) as caught:
        installation.prepare(tmp_path / "cache")
    message = str(caught.value)
    assert "Apache Kafka 4.1.1 could not be fetched; see that Maven Central or a mirror of it can be reached" in message
    assert message.endswith("[ERROR] Could not transfer artifact: Connection refused")
    assert [path.name for path in (tmp_path / "cache").glob("*/*")] == ["lock"]


def test_a_fetch_without_all_jars_names_what_is_missing(machine: Machine, tmp_path: Path) -> None:
    machine.java(17)
    machine.maven(without=JARS[3])
    with pytest.raises(ServerUnavailable, match=f"was fetched without {JARS[3]}; see that"):
        installation.prepare(tmp_path / "cache")
    assert not installation.at_hand(tmp_path / "cache")


def test_no_maven(machine: Machine, tmp_path: Path) -> None:
    machine.java(17)
    with pytest.raises(ServerUnavailable, match="no mvn in PATH"):
        installation.prepare(tmp_path / "cache")
