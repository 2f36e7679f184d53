"""Every call to AWS that code of headrace makes in this process, noted with the test that it was made in.

By botocore's own way in: a handler that every session is born with. It is told of a call before it is sent; a lean
call (headrace_connectors.leanclient) repeats one that went in full before it, so that no operation is missed. Whose
call it is says the User-Agent, which is headrace's; what a test asks through headrace's client for itself is left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

FILE = "HEADRACE_NOTED_CALLS"
"""The variable that names the file of the run: a line a call, `SERVICE OPERATION TEST`."""

_CLIENT = "headrace_connectors.leanclient"
_TESTS = str(Path(__file__).parents[2])
_file: Path
_noted: set[str] = set()


def watch() -> None:
    """From now on, in sessions that are made from now on. What a process does to its environment later is its own."""
    global _file  # noqa: PLW0603 - botocore's list is the process's, too
    _file = Path(os.environ[FILE])
    from botocore import handlers  # noqa: PLC0415 - where it is waited for, it is there now

    handlers.BUILTIN_HANDLERS.append(("before-call", _note))


def _note(model: Any, params: dict[str, Any], **_: Any) -> None:
    if "headrace" not in params["headers"].get("User-Agent", "") or _asked_by_a_test():
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    line = f"{model.service_model.service_name} {model.name} {test}\n"
    if line not in _noted:
        _noted.add(line)
        with _file.open("a") as file:  # so few bytes are written at once, whoever else writes
            file.write(line)


def _asked_by_a_test() -> bool:
    """Whether a test's own code stands behind the call of the client, and not ours."""
    frame, asker = sys._getframe(1), None
    while frame is not None:
        if frame.f_globals.get("__name__") == _CLIENT:
            asker = frame.f_back
        frame = frame.f_back
    return asker is not None and asker.f_code.co_filename.startswith(_TESTS)
