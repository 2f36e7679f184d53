"""Which Java and Maven a testbed finds, and what it says when there is none: with executables that we wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed import java
from support.executables import Machine, machine

__all__ = ["machine"]


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "22-ea" 2024-03-19', 22),
        ('Picked up JAVA_TOOL_OPTIONS: -Dversion="9"\nopenjdk version "11.0.2"', 11),
        ("", None),
        ("The operation could not be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_version_is_the_feature_release(told: str, version: int | None) -> None:
    assert java.java_version(told) == version


def test_java_home_comes_before_the_path(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.java(17)
    home = machine.folder / "jdk"
    machine.java(21, home / "bin")
    assert java.find_java().version == 17
    monkeypatch.setenv("JAVA_HOME", str(home))
    found = java.find_java()
    assert (found.version, found.path) == (21, home / "bin" / "java")


def test_a_java_home_without_java_is_passed_by(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.java(17)
    monkeypatch.setenv("JAVA_HOME", str(machine.folder / "gone"))
    assert java.find_java().version == 17


def test_no_java(machine: Machine) -> None:
    with pytest.raises(ServerUnavailable, match=r"needs Java, and there is none; install Java 17 or newer \(Debian: "):
        java.find_java()


def test_an_old_java(machine: Machine) -> None:
    machine.java(11)
    with pytest.raises(ServerUnavailable, match=r"needs Java 17 or newer, and /.*/java is 11; install"):
        java.find_java()


def test_a_java_that_says_nothing(machine: Machine) -> None:
    machine.executable("java", "echo no runtime >&2")
    with pytest.raises(ServerUnavailable, match=r"/java does not tell its version, but 'no runtime'; install"):
        java.find_java()


def test_a_java_that_does_not_run(machine: Machine) -> None:
    machine.executable("java", "", interpreter="/nowhere/sh")
    with pytest.raises(ServerUnavailable, match=r"/java does not run: No such file or directory; install"):
        java.find_java()


def test_no_maven(machine: Machine) -> None:
    with pytest.raises(ServerUnavailable, match=r"there is no mvn in PATH; install it \(Debian: apt-get "):
        java.find_maven()


def test_maven(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.executable("mvn", "")
    assert java.find_maven() == machine.folder / "mvn"
    machine.executable("mvn", "", folder=machine.folder / "home" / "bin")
    monkeypatch.setenv("MAVEN_HOME", str(machine.folder / "home"))
    assert java.find_maven() == Path(machine.folder, "home", "bin", "mvn")
