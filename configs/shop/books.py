# ruff: noqa: INP001 - handlers live in plain files, as on Lambda
"""Where the shop's handlers write down what they have handled, if SHOP_HANDLED names a file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def note(mapping: str, entries: Sequence[dict[str, Any]]) -> None:
    """One line for each entry."""
    path = os.environ.get("SHOP_HANDLED")
    if path and entries:
        lines = "".join(f"{json.dumps({'mapping': mapping, **entry})}\n" for entry in entries)
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(lines)


def name(thing: dict[str, Any]) -> Any:
    """Its id; what `headrace testbed send --generate` makes up has a number."""
    return thing.get("id", thing.get("number"))
