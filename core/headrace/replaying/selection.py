"""Which letters are meant, and which of their records. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from headrace.destination import FailureClass
from headrace.filters import Pattern
from headrace.letters import Form, Letter
from headrace.model import Record
from headrace.replaying.finding import Found, judging

CLASSES = tuple(map(str, FailureClass))
"""Of failure, as rules of destinations have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was asked for; without anything, all.

    Attributes:
        service: of that service only, where a letter says whose it is: another's handlers are not here.
        mapping: of that mapping only, likewise.
        invoked: invocations of these functions only, where a letter names another one that is known; None: of any.
        functions: the names of those that are known.
        classes: of failure.
        since: given up then or later, in Unix seconds.
        patterns: a record must fit one of them.
    """

    service: str = ""
    mapping: str = ""
    invoked: Collection[str] | None = None
    functions: Collection[str] = ()
    classes: Sequence[str] = ()
    since: float | None = None
    patterns: Sequence[Pattern] = ()

    def refuses(self, letter: Letter) -> str:
        """Why a letter is not meant; empty where it is."""
        if self.service and letter.service and letter.service != self.service:
            return f"of service {letter.service}"
        if self.mapping and letter.mapping and letter.mapping != self.mapping:
            return f"of mapping {letter.mapping}"
        if letter.form is Form.INVOCATION and not self._invokes(letter.function):
            return f"an invocation of {letter.function or 'a function'}"
        if self.classes and letter.cls not in self.classes:
            return f"of class {letter.cls}" if letter.cls else "of no class"
        if self.since is not None and letter.at < self.since:
            return "older than --since"
        return ""

    def _invokes(self, function: str) -> bool:
        if not self.invoked:
            return self.invoked is None
        return function in self.invoked or function not in self.functions

    def of(self, found: Found, records: Sequence[Record]) -> Sequence[Record]:
        """Those of *records* that are meant. Raises NoLetter: nobody can say."""
        if not self.patterns:
            return records
        keep = judging(found.keeper(self.patterns), "--filter", "write another, or take it out")
        return [record for record in records if keep(record)]
