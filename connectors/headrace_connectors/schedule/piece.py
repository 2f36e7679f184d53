"""A piece of an expression with its column, so that a fault can point to it; and faults that are told together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from headrace.errors import ConfigError, Fault

T = TypeVar("T")

BLANKS: Final = " \t\r\n"
"""What may stand between fields; a no-break space, which looks the same, may not."""


@dataclass(frozen=True, slots=True)
class Piece:
    """*text* as it stands in the expression; *column* is that of its first character, from 1."""

    text: str
    column: int

    def cut(self, mark: str) -> tuple[Piece, Piece | None]:
        """What stands before and behind the first *mark*; None: there is no mark."""
        before, found, behind = self.text.partition(mark)
        return Piece(before, self.column), Piece(behind, self.column + len(before) + 1) if found else None

    def split(self, mark: str) -> list[Piece]:
        """The pieces between all *mark*s."""
        pieces, rest = [], self
        while True:
            first, behind = rest.cut(mark)
            pieces.append(first)
            if behind is None:
                return pieces
            rest = behind

    def words(self) -> list[Piece]:
        """The pieces between blanks."""
        return [Piece(m.group(), self.column + m.start()) for m in re.finditer(f"[^{BLANKS}]+", self.text)]

    def wrong(self, field: str, message: str) -> ConfigError:
        """The error that points to this piece; *message* says what is wrong, and the mend."""
        return ConfigError([Fault(field, message, f"column {self.column}")])


def together(reads: Iterable[Callable[[], T]]) -> list[T]:
    """What all of *reads* give.

    Raises:
        ConfigError: with the faults of all that raised.
    """
    results: list[T] = []
    faults: list[Fault] = []
    for read in reads:
        try:
            results.append(read())
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return results
