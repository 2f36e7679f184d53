"""The jars of Apache Kafka, from Maven Central into a folder, once.

Maven fetches them, so that a mirror, a proxy and credentials in its settings are honoured.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed.java import find_maven

VERSION = "4.1.1"
"""The one place where Apache Kafka's version is pinned; with another one JARS is another list."""

JARS = (
    "argparse4j-0.7.0.jar",
    "caffeine-3.2.0.jar",
    "commons-beanutils-1.9.4.jar",
    "commons-collections-3.2.2.jar",
    "commons-digester-2.1.jar",
    "commons-logging-1.3.2.jar",
    "commons-validator-1.9.0.jar",
    "hash4j-0.22.0.jar",
    "HdrHistogram-2.2.2.jar",
    "jackson-annotations-2.19.0.jar",
    "jackson-core-2.19.0.jar",
    "jackson-databind-2.19.0.jar",
    "jackson-dataformat-csv-2.19.0.jar",
    "jackson-dataformat-yaml-2.19.0.jar",
    "jackson-datatype-jdk8-2.19.0.jar",
    "jopt-simple-5.0.4.jar",
    "jose4j-0.9.6.jar",
    "jspecify-1.0.0.jar",
    "kafka-clients-4.1.1.jar",
    "kafka-coordinator-common-4.1.1.jar",
    "kafka-group-coordinator-4.1.1.jar",
    "kafka-group-coordinator-api-4.1.1.jar",
    "kafka-metadata-4.1.1.jar",
    "kafka-raft-4.1.1.jar",
    "kafka-server-4.1.1.jar",
    "kafka-server-common-4.1.1.jar",
    "kafka-share-coordinator-4.1.1.jar",
    "kafka-storage-4.1.1.jar",
    "kafka-storage-api-4.1.1.jar",
    "kafka-tools-api-4.1.1.jar",
    "kafka-transaction-coordinator-4.1.1.jar",
    "kafka_2.13-4.1.1.jar",
    "log4j-api-2.24.3.jar",
    "log4j-core-2.24.3.jar",
    "lz4-java-1.8.0.jar",
    "metrics-core-2.2.0.jar",
    "pcollections-4.0.2.jar",
    "re2j-1.8.jar",
    "scala-library-2.13.16.jar",
    "scala-logging_2.13-3.9.5.jar",
    "scala-reflect-2.13.16.jar",
    "slf4j-api-1.7.36.jar",
    "slf4j-simple-1.7.36.jar",
    "snakeyaml-2.4.jar",
    "snappy-java-1.1.10.7.jar",
    "zstd-jni-1.5.6-10.jar",
)
"""All that a broker needs, and a logger that writes what is wrong to standard error."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and of how much."""


def silent(_what: str, _done: int, _of: int) -> None:
    """Progress that nobody watches."""


_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headrace</groupId><artifactId>testbed</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
_TOLD = 1500


def complete(folder: Path) -> bool:
    """Whether every jar is there."""
    return all((folder / jar).is_file() for jar in JARS)


def fetch(folder: Path, progress: Progress) -> None:
    """Put the jars into `folder`, all or none of them. One process at a time: the caller holds a lock.

    Raises:
        ServerUnavailable: there is no Maven, or it could not fetch them.
    """
    maven = find_maven()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder.parent) as scratch:
        pom, fetched = Path(scratch, "pom.xml"), Path(scratch, "jars")
        pom.write_text(_POM)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fetched}"]
        _follow([str(maven), "--batch-mode", "--file", str(pom), *goal], progress)
        missing = [jar for jar in JARS if not (fetched / jar).is_file()]
        if missing:
            raise ServerUnavailable(f"Apache Kafka {VERSION} was fetched without {', '.join(missing)}; {_MEND}")
        shutil.rmtree(folder, ignore_errors=True)
        fetched.rename(folder)


_MEND = "see that Maven Central or a mirror of it can be reached, as Maven's settings.xml names it, and try again"


def _follow(command: list[str], progress: Progress) -> None:
    """Run Maven, and tell of each of our jars when it was downloaded, or copied because it had been before."""
    what, waiting, told = f"fetching Apache Kafka {VERSION}", set(JARS), ""
    progress(what, 0, len(JARS))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as maven:  # noqa: S603
        for line in maven.stdout or ():
            told = (told + line)[-_TOLD:]
            named = re.search(r"(?:Downloaded|Copying) .*?([\w.-]+\.jar)\b", line)
            if named and named[1] in waiting:
                waiting.remove(named[1])
                progress(what, len(JARS) - len(waiting), len(JARS))
    if maven.returncode:
        raise ServerUnavailable(f"Apache Kafka {VERSION} could not be fetched; {_MEND}. Maven said:\n{told.strip()}")
