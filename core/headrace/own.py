"""The environment that this process was started with, where its functions have been given other variables since.

Functions and headrace itself share one process, and so `os.environ`. Who headrace is stays its own: what opens
connections reads it here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_lent: Final[dict[str, tuple[str | None, str | None]]] = {}
"""By name: what functions were given, and what the process had; None where it is not set."""


def lend(variables: Mapping[str, str | None]) -> None:
    """Set these for functions, or take them away (None)."""
    before = environment()
    for name, value in variables.items():
        if value != before.get(name):
            _lent[name] = value, before.get(name)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def is_lent() -> bool:
    """Whether functions have another environment than headrace."""
    return environment() != dict(os.environ)


def environment() -> dict[str, str]:
    """The process's own. What somebody else has set since is left as it is."""
    own = dict(os.environ)
    for name, (lent, before) in _lent.items():
        if own.get(name) == lent:
            own.pop(name, None)
            own |= {} if before is None else {name: before}
    return own
