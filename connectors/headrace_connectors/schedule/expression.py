"""The three kinds of schedule expressions, read from their text; and what a kind of one's own must know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from headrace_connectors.schedule.at import At, at
from headrace_connectors.schedule.cron import Cron
from headrace_connectors.schedule.cronreading import cron
from headrace_connectors.schedule.dialect import Dialect
from headrace_connectors.schedule.piece import Piece
from headrace_connectors.schedule.rate import Rate, rate


class Rule(Protocol):
    """A kind of one's own: `headrace.testing.Every`, say."""

    def instants(self, anchor: datetime, after: datetime) -> Iterator[datetime]:
        """The occurrences later than *after*, ascending, in UTC; *anchor* is when the schedule was first registered."""
        ...


Expression: TypeAlias = Cron | Rate | At | Rule

LONGEST: Final = 256
"""Characters; AWS's limit."""


def parse(text: str, dialect: Dialect = "scheduler") -> Expression:
    """What *text* means in *dialect*.

    Raises:
        ConfigError: every fault, each with its column (`place`) and the field (`path`) that it is in.
    """
    whole = Piece(text, 1)
    if not 1 <= len(text) <= LONGEST:
        raise whole.wrong("", f"an expression has 1 to {LONGEST} characters, and this one {len(text)}")
    found = re.fullmatch(r"(cron|rate|at)\((.*)\)", text, re.DOTALL)
    if found is None:
        place, message = _formless(text)
        raise Piece("", place).wrong("", message)
    kind, inner = found[1], Piece(found[2], found.start(2) + 1)
    if kind == "cron":
        return cron(inner, dialect)
    if kind == "rate":
        return rate(inner, dialect)
    if dialect == "rule":
        raise whole.wrong("", "at(…) is of the dialect scheduler; a rule has cron(…) and rate(…)")
    return at(inner)


def _formless(text: str) -> tuple[int, str]:
    """The column, and what is wrong with a text that has not the form of an expression."""
    bare = text.strip()
    if text != bare:
        before = len(text) - len(text.lstrip())
        return (1 if before else len(bare) + 1), "a blank stands before or behind the expression; remove it"
    if begun := re.match(r"(cron|rate|at)\(", text, re.IGNORECASE):
        if begun[1] != begun[1].lower():
            return 1, f"{begun[1]} is written in small letters: {begun[1].lower()}(…)"
        if ")" in text:
            return text.rindex(")") + 2, "something stands behind the ); remove it"
        return len(text) + 1, "the ) at the end is missing"
    if re.fullmatch(r"[\w*?/,#-]+( [\w*?/,#-]+){4,5}", text, re.ASCII):
        unix = "cron(…) with ? in one of its two day fields, and 1 for Sunday, as cron(0 12 ? * 2-6 *)"
        return 1, f"the form is cron(…), rate(…) or at(…); write {f'cron({text})' if '?' in text else unix}"
    return 1, "the form is cron(…), rate(…) or at(…), as cron(0 12 * * ? *)"
