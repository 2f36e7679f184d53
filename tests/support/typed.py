"""The command `headrace` as it is typed, in a test's own process: for what loads no handler and runs nothing.

A process of its own, as of support/command.py, costs half a second each time.
"""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from headrace.cli.main import main


class Typed:
    """In a folder with config.yaml, which becomes the working directory; nothing around it says which region it is."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.config, self._capsys = folder / "config.yaml", capsys
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(folder)

    def run(self, *words: str) -> CompletedProcess[str]:
        self._capsys.readouterr()
        status = main(list(words))
        said = self._capsys.readouterr()
        return CompletedProcess(words, status, said.out, said.err)
