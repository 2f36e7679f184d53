"""From what pydantic refuses to a sentence for people: what is wrong, and the mend.

A value is quoted only where it was written in the file itself, and never where it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from headrace.config import salvage
from headrace.config.places import Places, Where, child, dotted, printable
from headrace.config.salvage import Part, within
from headrace.config.shape import Shape, describe, limits, nearest, shape
from headrace.errors import Fault

Model = TypeVar("Model", bound=BaseModel)

EMPTY: Final = "is empty; fill it or remove it"
_RANGE: Final = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_SENSITIVE: Final = re.compile(r"password|passwd|passphrase|secret|token(?!_endpoint)|credential", re.IGNORECASE)
"""OAuth's token endpoint is a place that everybody may know."""
_LONGEST: Final = 40


def is_sensitive(where: Where) -> bool:
    """True where a name on the way says that the value is a secret, and for the environment of functions."""
    if where[:1] == ("functions",) and where[2:3] == ("environment",):
        return True
    return any(_SENSITIVE.search(str(step)) for step in where)


class Validator:
    """Validates parts of one config, and gathers the faults."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.faults: list[Fault] = []

    def fault(self, where: Where, message: str) -> None:
        """Add a fault, unless one of the text itself says already what is wrong there."""
        if not self.places.is_broken(where):
            self.faults.append(Fault(dotted(where), printable(message), self.places.place(where)))

    def part(
        self, model: type[Model], value: Mapping[str, Any], where: Where, elsewhere: Mapping[str, str] | None = None
    ) -> Part[Model]:
        """*value* as *model*, with all that is wrong with it told.

        *elsewhere* says of names that the model does not know, but its surroundings do, where they belong.
        """
        lost = {way for way in self.places.broken_in(where) if not way or way[0] in value}
        empty = list(salvage.empty(model, value))
        try:
            whole, found = salvage.validated(model, value), []
        except ValidationError as error:
            whole, found = None, salvage.details(error)
        if whole is not None and not empty:
            return Part(model=model, value=value, whole=None if lost else whole, lost=frozenset(lost))
        told = dict[Where, str]()
        for detail in found:
            inner = within(value, detail)
            told.setdefault(inner, self._say(shape(model), value, where, inner, detail))
            if elsewhere and detail["type"] == "extra_forbidden" and inner[0] in elsewhere and not inner[1:]:
                told[inner] = f"unknown option here; {elsewhere[str(inner[0])]}"
        for inner in empty:
            told.setdefault(inner, EMPTY)
        lost.update(salvage.lost(model, value, found, elsewhere or ()), map(salvage.slot, empty))
        part = Part(model=model, value=value, lost=frozenset(lost))
        for inner, message in part.together():
            told.setdefault(inner, self.places.scrub(message))
        for inner, message in told.items():
            self.fault((*where, *inner), message)
        return part

    def block(self, model: type[Model], value: Any, where: Where) -> Part[Model]:
        """As `part`, for what must be a mapping, and may be something else."""
        if isinstance(value, dict):
            return self.part(model, value, where)
        self.fault(where, not_a_mapping(value, "must be a mapping"))
        return salvage.nothing(model)

    def _say(self, form: Shape, value: Any, where: Where, inner: Where, detail: ErrorDetails) -> str:
        kind = detail["type"]
        wanted = form.at(inner)
        if kind == "extra_forbidden":
            return unknown(str(inner[-1]), form.names(inner[:-1]))
        if kind == "missing":
            return f"is required: {describe(wanted)}"
        if kind in {"value_error", "assertion_error"}:
            return self.places.scrub(salvage.reason(detail))
        for step in inner:
            value = child(value, step)
        got = self._got(value, (*where, *inner), is_hidden=any(one.get("writeOnly") for one in wanted))
        if kind in _RANGE and len(wanted) == 1 and limits(wanted[0]):
            return f"must be {limits(wanted[0])}, got {got}"
        if wanted:
            return f"must be {describe(wanted)}, got {got}{_mend(value, describe(wanted))}"
        return f"{self.places.scrub(detail['msg'])}; got {got}"

    def _got(self, value: Any, where: Where, *, is_hidden: bool) -> str:
        hidden = is_hidden or is_sensitive(where) or self.places.from_environment(where)
        match value:
            case None:
                return "nothing"
            case bool():
                return "true or false" if hidden else str(value).lower()
            case int() | float():
                return "a number" if hidden else str(value)
            case str():
                short = not hidden and "://" not in value and len(value) <= _LONGEST
                return f"the text {value!a}" if short else "a text"
            case list():
                return "a list" if value else "an empty list"
        return "a mapping"


def not_a_mapping(value: Any, message: str) -> str:
    """Why *value* is refused: *message*, unless it is an empty block."""
    return EMPTY if value is None else message


def no_such_type(word: object, types: Sequence[str], what: str) -> str:
    """Why *word* is no type of *what*, and what was meant."""
    meant = nearest(word, types) if isinstance(word, str) else None
    mend = f"did you mean {meant}?" if meant else f"known are {', '.join(types)}"
    return f"there is no such {what}; {mend}" if word else f"is required; {mend}"


def unknown(word: str, known: list[str]) -> str:
    """Why *word* is refused, and what was meant."""
    meant = nearest(word, known)
    if meant:
        return f"unknown option; did you mean {meant}?"
    return f"unknown option; known are {', '.join(sorted(known))}" if known else "unknown option; none is known here"


def _mend(value: Any, wanted: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9.]+", value) and "number" in wanted:
        return "; write it without quotes"
    if isinstance(value, str) and value.lower() in {"yes", "no", "on", "off", "true", "false"} and "true" in wanted:
        return "; write true or false, without quotes"
    if isinstance(value, int | float) and "a text" in wanted:
        return "; put it in quotes"
    if wanted.startswith("a list") and isinstance(value, str | int | float):
        return "; put it in [ ]"
    return ""
