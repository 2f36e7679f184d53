"""Getting ready to run Apache Kafka: once the jars, an empty data folder, and an archive of loaded classes.

The archive (class data sharing) halves the time and the CPU of a start. It fits one Java and one place of the jars, so
that it is made here, by one start and stop, and not shipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed import jars
from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.installed import Installation
from headrace_connectors.testbed.jars import Progress, silent
from headrace_connectors.testbed.java import find_java
from headrace_connectors.testbed.properties import BROKER, CONTROLLER, server_properties, text

_CLUSTER = "aGVhZHJhY2UtdGVzdGJlZA"
"""16 bytes in base64, as a cluster's id is."""


def at_hand(cache: Path) -> bool:
    """Whether the jars are in `cache`, so that nothing is fetched."""
    return jars.complete(_home(cache) / "jars")


def prepare(cache: Path, progress: Progress = silent) -> Installation:
    """What a broker needs, in `cache`; fetched and made at the first time. Several processes may ask at once.

    Raises:
        ServerUnavailable: no Java, or an old one; no Maven; the jars cannot be fetched.
    """
    home, java = _home(cache).absolute(), find_java()
    found = Installation(virtual_machine=java, jars=home / "jars", formatted=home / "formatted", archive=None)
    with _alone(home):
        if not jars.complete(found.jars):
            jars.fetch(found.jars, progress)
            for old in home.glob("classes-*"):
                old.unlink()
        if not found.formatted.exists():
            _format(found, progress)
        archive = home / f"classes-{_fits(found)}.jsa"
        if not archive.exists():
            _learn(found, archive, progress)
    return replace(found, archive=archive if archive.stat().st_size else None)


def _home(cache: Path) -> Path:
    return cache / f"apache-kafka-{jars.VERSION}"


def _fits(found: Installation) -> str:
    """Java takes an archive for the jars it was made of, at their place and of their time, and says nothing else."""
    times = [(found.jars / jar).stat().st_mtime_ns for jar in jars.JARS]
    return hashlib.sha256(repr((found.virtual_machine.build, str(found.jars), times)).encode()).hexdigest()[:12]


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _format(found: Installation, progress: Progress) -> None:
    """A data folder as Kafka's own tool makes it, to be copied for each broker: the tool takes as long as a start."""
    progress("formatting", 0, 1)
    with tempfile.TemporaryDirectory(prefix="format-", dir=found.formatted.parent) as scratch:
        settings, data = Path(scratch, "server.properties"), Path(scratch, "data")
        settings.write_text(
            text(server_properties(ports={BROKER: 9092, CONTROLLER: 9093}, protocols={}, data=data, extra={}))
        )
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", str(settings)]
        made = subprocess.run(found.java(*tool), capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if made.returncode:
            raise ServerUnavailable(
                f"Apache Kafka's StorageTool failed with status {made.returncode}; delete {found.jars.parent} and try"
                f" again. It said:\n{(made.stdout + made.stderr).strip()[-1500:]}"
            )
        data.rename(found.formatted)
    progress("formatting", 1, 1)


def _learn(found: Installation, archive: Path, progress: Progress) -> None:
    """Start a broker once and let Java write down which classes it loaded.

    A Java that cannot leaves an empty file: brokers start without, only slower, and it is not tried at each start.
    """
    progress("learning to start quickly", 0, 1)
    with tempfile.TemporaryDirectory(prefix="learn-", dir=archive.parent) as scratch:
        written = Path(scratch, "classes.jsa")
        with contextlib.suppress(ServerUnavailable):
            broker = ApacheKafka(found, java_options=[f"-XX:ArchiveClassesAtExit={written}"])
            with broker:
                broker.stop(timeout=120)
        if not written.exists():
            written.touch()
        shutil.move(written, archive)
    progress("learning to start quickly", 1, 1)
