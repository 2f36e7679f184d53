"""Where each value of a config was written, and which of them came from the environment."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

Where: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys, and the indices of lists."""

_LONGEST: Final = 100


def dotted(where: Where) -> str:
    """As messages write it: `mappings.orders.topics[0]`; on one line whatever the keys hold."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in where).removeprefix(".")


def printable(text: str) -> str:
    """*text* on one line, in characters that any terminal and log can take."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _shown(key: str) -> str:
    return printable(key if len(key) <= _LONGEST else key[:_LONGEST] + "…")


@dataclass(slots=True, repr=False)
class Places:
    """What is known of a config's text, by the way to each value.

    Attributes:
        lines: `FILE:LINE` of every key and list item; `()` is the whole file.
        expressions: the text of every value that named a variable, as it was written.
        taken: the variables that were read, with their values: these appear in no message.
        hidden: other texts that appear in no message: what was written for a password, a token.
        broken: where a fault of the text was found already; what follows from it is not said again.
    """

    lines: dict[Where, str] = field(default_factory=dict)
    expressions: dict[Where, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    broken: set[Where] = field(default_factory=set)

    def place(self, where: Where) -> str:
        """`FILE:LINE` of the value, or of the nearest thing around it that was written."""
        return next((self.lines[step] for step in _upward(where) if step in self.lines), "")

    def is_broken(self, where: Where) -> bool:
        """True if a fault of the text lies at *where* or around it."""
        return any(step in self.broken for step in _upward(where))

    def broken_in(self, where: Where) -> Iterator[Where]:
        """The ways from *where* to faults of the text in it; `()` if one lies at *where* or around it."""
        if self.is_broken(where):
            yield ()
        for broken in self.broken:
            if broken[: len(where)] == where:
                yield tuple(takewhile(lambda step: isinstance(step, str), broken[len(where) :]))

    def is_broken_within(self, where: Where) -> bool:
        """True if one lies at *where*, around it or in it."""
        return self.is_broken(where) or any(broken[: len(where)] == where for broken in self.broken)

    def adopt(self, other: Places, without: Container[Where]) -> None:
        """Take over what *other* knows of another file, but for the blocks (of one or two steps) *without*."""
        for mine, theirs in ((self.lines, other.lines), (self.expressions, other.expressions)):
            for where, said in theirs.items():
                if where[:1] not in without and where[:2] not in without:
                    mine.setdefault(where, said)
        self.broken |= other.broken
        self.taken |= other.taken

    def from_environment(self, where: Where) -> bool:
        """True if the value at *where*, or a part of it, came from the environment."""
        return any(path[: len(where)] == where for path in self.expressions)

    def find(self, value: Any, path: str) -> Where:
        """The way that the dotted *path* means in *value*; steps that are not there stay words."""
        steps: list[str | int] = []
        for word in path.split(".") if path else ():
            step: str | int = int(word) if isinstance(value, list) and word.isdecimal() else word
            steps.append(step)
            value = child(value, step)
        return tuple(steps)

    def scrub(self, message: str) -> str:
        """*message*, which somebody else wrote, with every value of the environment replaced by `${NAME}`."""
        secrets = [*_secrets(self.taken), *((text, "***") for text in self.hidden)]
        for secret, shown in sorted(secrets, key=lambda pair: -len(pair[0])):
            pattern = re.escape(secret)
            if len(secret) < 4:  # noqa: PLR2004 - "10" is replaced where it stands alone, not inside of 100
                pattern = rf"(?<!\w){pattern}(?!\w)"
            message = re.sub(pattern, shown, message)
        return message


def child(value: Any, step: str | int) -> Any:
    """What lies at *step* of a mapping or list; None where nothing does."""
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    return None


def stands(value: Any, where: Where) -> bool:
    """Whether anything is written at *where* of *value*, null too."""
    for step in where[:-1]:
        value = child(value, step)
    return isinstance(value, dict) and where[-1] in value


def _upward(where: Where) -> Iterator[Where]:
    return (where[:length] for length in range(len(where), -1, -1))


def _secrets(taken: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Each value, also as `repr` would write it, and the user and password of a URL alone."""
    for name, value in taken.items():
        try:
            url = urlsplit(value)
            parts = (url.username, url.password)
        except ValueError:
            parts = (None, None)
        yield from ((form, f"${{{name}}}") for form in {value, repr(value)[1:-1], *parts} if form and form.strip())
