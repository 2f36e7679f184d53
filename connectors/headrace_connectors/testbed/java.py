"""The Java and the Maven of this machine, or what to do when there is none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import ServerUnavailable

OLDEST = 17
"""What Apache Kafka 4 needs of a broker's Java."""

_MEND = f"install Java {OLDEST} or newer (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """An executable, and what it says about itself: `build` differs between any two Javas."""

    path: Path
    version: int
    build: str


def find_java() -> Java:
    """The Java of JAVA_HOME, else that of PATH.

    Raises:
        ServerUnavailable: there is none, or it is too old.
    """
    path = _found("java", "JAVA_HOME")
    if path is None:
        raise ServerUnavailable(f"Apache Kafka needs Java, and there is none; {_MEND}")
    try:
        asked = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 - as above
    except OSError as error:
        raise ServerUnavailable(f"{path} does not run: {error.strerror}; {_MEND}") from error
    version = java_version(asked.stderr)
    if version is None:
        raise ServerUnavailable(f"{path} does not tell its version, but {asked.stderr.strip()[:200]!r}; {_MEND}")
    if version < OLDEST:
        raise ServerUnavailable(f"Apache Kafka needs Java {OLDEST} or newer, and {path} is {version}; {_MEND}")
    return Java(path=path, version=version, build=asked.stderr)


def java_version(told: str) -> int | None:
    """The feature release in what `java -version` prints: 17 of `openjdk version "17.0.15" …`, 8 of "1.8.0_392"."""
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found[1]) if found else None


def find_maven() -> Path:
    """The `mvn` of MAVEN_HOME, else that of PATH.

    Raises:
        ServerUnavailable: there is none.
    """
    path = _found("mvn", "MAVEN_HOME")
    if path is None:
        raise ServerUnavailable(
            "Apache Kafka's jars are fetched by Maven, and there is no mvn in PATH;"
            " install it (Debian: apt-get install maven)"
        )
    return path


def _found(name: str, home: str) -> Path | None:
    at_home = Path(os.environ.get(home, ""), "bin", name)
    if os.environ.get(home) and os.access(at_home, os.X_OK):
        return at_home
    found = shutil.which(name)
    return Path(found) if found else None
