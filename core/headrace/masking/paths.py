"""One path of `redact`: dotted steps to what must not leave, `*` for any key or any item. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

ANY: Final = "*"

_DOT: Final = re.compile(r"(?<!\\)\.")


@dataclass(frozen=True, slots=True)
class Path:
    """As it was written, and its steps."""

    text: str
    steps: tuple[str, ...]


def read_path(text: str) -> Path:
    r"""The path that *text* means; a dot of a key itself is written `\.`.

    Raises:
        ValueError: it is none; the message has the mend.
    """
    if text.startswith("$"):
        raise ValueError("begins at the record itself: write body.card, without $")
    if "[" in text:
        raise ValueError("has no brackets: lists are gone through, so write items.card, or items.0.card for the first")
    steps = tuple(step.replace("\\.", ".") for step in _DOT.split(text))
    if not all(steps):
        raise ValueError(r"must be steps with dots between them: body.card.number; a dot of a key is written \.")
    return Path(text, steps)
