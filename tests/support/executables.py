"""A machine whose PATH has only what a test put there: a Java of any age, a Maven that fails or does as if."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from headrace_connectors.testbed.jars import JARS


def tool(name: str) -> str:
    return shutil.which(name, path=os.defpath) or name


class Machine:
    """`folder` is all of PATH. What runs there finds the shell's own tools by their whole names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"

    def executable(self, name: str, script: str, folder: Path | None = None, interpreter: str = "/bin/sh") -> Path:
        """A script that notes its call first."""
        path = (folder or self.folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!{interpreter}\necho "{name} $*" >>"{self.calls}"\n{script}\n')
        path.chmod(0o755)
        return path

    def java(self, version: int, folder: Path | None = None) -> None:
        """It formats a data folder, and cannot start a broker."""
        touch, mkdir = tool("touch"), tool("mkdir")
        self.executable(
            "java",
            f"""
case "$*" in
-version) echo 'openjdk version "{version}.0.1" 2025-01-01' >&2 ;;
*StorageTool*)
    for word; do settings=$word; done
    while IFS='=' read -r key value; do [ "$key" = log.dir ] && data=$value; done <"$settings"
    {mkdir} "$data" && {touch} "$data/meta.properties" ;;
*) echo "no broker here"; exit 1 ;;
esac""",
            folder,
        )

    def maven(self, *, fails: bool = False, without: str = "") -> None:
        """It makes empty files of the jars' names, all but one; with `fails` some, and then it complains."""
        names = " ".join(jar for jar in JARS if jar != without)
        mkdir = tool("mkdir")
        self.executable(
            "mvn",
            f"""
for word; do case $word in -DoutputDirectory=*) out=${{word#-DoutputDirectory=}} ;; esac; done
{mkdir} -p "$out"
for jar in {"a.jar" if fails else names}; do
    echo "[INFO] Downloaded from central: http://repository/$jar (1 kB at 1 MB/s)"
    : >"$out/$jar"
    echo "[INFO] Copying $jar to $out/$jar"
done
{"echo '[ERROR] Could not transfer artifact: Connection refused'; exit 1" if fails else ""}""",
        )

    def called(self, name: str) -> int:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return sum(line.startswith(f"{name} ") for line in lines)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("JAVA_HOME", "MAVEN_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Machine(folder)
