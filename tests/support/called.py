"""What a run called in AWS is held to what `headrace iam` prints: a part of pytest, wired in conftest.py.

A call that no policy allows fails any run. What is printed and was never called fails a run of the whole suite, for a
part of it makes a part of the calls. They are noted by support/noting, in processes that tests start too.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from headrace_connectors.rights import RIGHTS
from support import printed
from support.noting import aws_calls

Calls: TypeAlias = dict[tuple[str, str], str]
"""The first test that made it, by service (botocore's name) and operation."""

PARTIAL = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")
"""Options of pytest that leave tests out."""


def begin(config: pytest.Config) -> None:
    """Before a test is run here, or a worker started that does: it finds in its environment what is set now."""
    if os.environ.get("PYTEST_XDIST_WORKER"):  # has noted from its start
        return
    config.pluginmanager.register(Noted(config))
    aws_calls.watch()


def is_whole(config: pytest.Config) -> bool:
    """Whether every test of the suite is run: it was asked for none."""
    asked = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
    return not asked and not any(config.getoption(name) for name in PARTIAL)


class Noted:
    """The calls of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._whole = is_whole(config)
        self._faults: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-calls-")
        self._file = Path(self._folder.name) / "calls"
        self._file.touch()
        path = [str(Path(aws_calls.__file__).parent), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        os.environ[aws_calls.FILE] = str(self._file)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        whole = self._whole and exitstatus == pytest.ExitCode.OK
        self._faults = list(faults(read(self._file), whole=whole))
        if self._faults and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._faults:
            terminalreporter.section("what AWS was called for is not what `headrace iam` prints", red=True)
            for line in self._faults:
                terminalreporter.line(line, red=True)

    def pytest_unconfigure(self) -> None:
        self._folder.cleanup()


def read(file: Path) -> Calls:
    calls: Calls = {}
    for line in file.read_text().splitlines():
        service, operation, test = line.split(" ", 2)
        calls.setdefault((service, operation), test)
    return calls


def faults(calls: Calls, *, whole: bool) -> Iterator[str]:
    """What the calls of a run, or of all of it, say against the table of rights and against what is printed."""
    if not calls:
        return
    rows = {(service, operation): action for service, rows in RIGHTS.items() for operation, action in rows.items()}
    actions = printed.actions()
    for call, test in sorted(calls.items()):
        if call not in rows:
            yield f"called, and in no row of the table of rights: {' '.join(call)}, by {test}"
        elif rows[call] not in actions:
            yield f"called, and printed for no config: {rows[call]} ({' '.join(call)}), by {test}"
    if whole:
        for call in sorted(rows.keys() - calls.keys()):
            yield f"in the table of rights, and never called: {' '.join(call)}"
        for action in sorted(actions - {rows.get(call) for call in calls}):
            yield f"printed, and never called: {action}"
