"""What is on this machine to run Apache Kafka with: Java, jars, an empty data folder, an archive of loaded classes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headrace_connectors.testbed.jars import JARS
from headrace_connectors.testbed.java import Java

_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:disable")
"""A quick start for little memory: for a load test, `java_options=["-XX:TieredStopAtLevel=4"]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """`archive` is None before there is one."""

    virtual_machine: Java
    jars: Path
    formatted: Path
    archive: Path | None

    def java(self, *arguments: str) -> list[str]:
        """A command line of this Java with the jars in its class path."""
        archived = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive else []
        path = os.pathsep.join(str(self.jars / jar) for jar in JARS)  # in one order, or the archive does not fit
        return [str(self.virtual_machine.path), *_QUICK, *archived, "-classpath", path, *arguments]
