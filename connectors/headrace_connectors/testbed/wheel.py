"""Executables that come in packages from PyPI, found without importing them."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from headrace.errors import ServerUnavailable

MEND = "pip install 'headrace[testbed]'"


def packaged(package: str, pattern: str) -> Path | None:
    """The executable file of `package`, by a pattern under its folder; None without one."""
    found = importlib.util.find_spec(package)
    folders = (found.submodule_search_locations if found else None) or ()
    files = [file for folder in folders for file in sorted(Path(folder).glob(pattern))]
    return next((file for file in files if os.access(file, os.X_OK)), None)


def required(package: str, pattern: str, what: str) -> Path:
    """The same.

    Raises:
        ServerUnavailable: it is not there.
    """
    file = packaged(package, pattern)
    if file is None:
        raise ServerUnavailable(
            f"{what} is not installed: it comes with the package {package.replace('_', '-')}; {MEND}"
        )
    return file
