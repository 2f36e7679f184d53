"""What a block with faults may turn out to be once they are mended: what holds for all of that leans on no fault.

In place of each lost value stand its default and the ends of its range, as the model's schema tells them. A fault that
only several values together show is told if each of these stand-ins brings it about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, product, takewhile
from math import prod
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from headrace.config.places import Where, child
from headrace.config.shape import BLOCKS, Shape, likely, shape, stand_ins

Model = TypeVar("Model", bound=BaseModel)
Findings = list[tuple[Where, str]]

TOGETHER: Final = frozenset({"value_error", "assertion_error"})
"""Pydantic's types of error for what a validator of our own has raised."""

FEW: Final = 100
"""Ways to choose that are all gone; where there are more, the values are changed one at a time, and all at once."""

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[Model]):
    """One block of the config as it was read.

    Attributes:
        model: what it should be.
        value: what was written.
        whole: the model of it; None if it has faults.
        lost: the ways to what nothing may lean on: what was refused, and what an unknown name may have been meant for.
    """

    model: type[Model]
    value: Mapping[str, Any]
    whole: Model | None = None
    lost: frozenset[Where] = frozenset()

    def names(self, also: Collection[Where] = ()) -> set[str]:
        """The words for what is lost of what the model knows, as `sound` takes them."""
        form = shape(self.model)
        return {word for where in (*self.lost, *also) if where and form.at(where) for word in form.words(where)}

    def models(self, also: Collection[Where] = ()) -> list[Model]:
        """All that it may be, the defaults first; none where too much is lost. *also* is lost, if it is known here."""
        also = {where for where in also if shape(self.model).at(where)}
        if self.whole is not None and not also:
            return [self.whole]
        return _Mending(self.model, self.value, self.lost | also).models()

    def together(self) -> Findings:
        """What is wrong with its sound values together, and was not seen for its faults: where, and what."""
        return _Mending(self.model, self.value, self.lost).together() if self.lost else []


def nothing(model: type[Model]) -> Part[Model]:
    """A block of which all is lost."""
    return Part(model=model, value={}, lost=frozenset((name,) for name in shape(model).names(())))


def validated(model: type[Model], value: Any) -> Model:
    """As JSON is read: a number in quotes is none. Raises ValidationError."""
    return model.model_validate_json(json.dumps(value), strict=True)


def details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


def within(value: Any, detail: ErrorDetails) -> Where:
    """The way to what is wrong. Pydantic's own also names the alternatives of a union, which nobody wrote."""
    where: list[str | int] = []
    for step in detail["loc"]:
        if (isinstance(value, dict) and step in value) or (isinstance(value, list) and isinstance(step, int)):
            where.append(step)
            value = child(value, step)
    if detail["type"] == "missing":
        where.append(detail["loc"][-1])
    return tuple(where)


def empty(model: type[BaseModel], value: Any, where: Where = ()) -> Iterator[Where]:
    """The ways to null where a block or a list is due: YAML reads so what has lost all that stood in it.

    Of a single value null is its default.
    """
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        inner = (*where, key)
        if one is not None:
            yield from empty(model, one, inner)
        elif any(schema.get("type") in BLOCKS for schema in shape(model).at(inner)):
            yield inner


def lost(
    model: type[BaseModel], value: Any, errors: Iterable[ErrorDetails], beside: Collection[str]
) -> Iterator[Where]:
    """What *errors* leave in doubt. An unknown name may have meant one of the model's, or of those *beside* it."""
    for detail in errors:
        inner = within(value, detail)
        yield slot(inner)
        if detail["type"] == "extra_forbidden":
            for known in (shape(model).names(inner[:-1]), () if inner[1:] else list(beside)):
                for meant in chain(*likely(str(inner[-1]), known)):
                    yield slot((*inner[:-1], meant))


def slot(inner: Where) -> Where:
    """What is lost with the value at *inner*: of a list the whole."""
    return tuple(takewhile(lambda step: isinstance(step, str), inner))


def sound(said: str, names: Iterable[str]) -> bool:
    """True if *said* names nothing that is lost; where one of *names* is of several words, not all of them."""
    return not any(all(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said) for word in name.split()) for name in names)


def ways(choices: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """One of each of *choices*: first the first of each, and in the end enough to show what leans on which."""
    if not all(choices):
        return
    if prod(map(len, choices)) <= FEW:
        yield from product(*choices)
        return
    firsts = tuple(choice[0] for choice in choices)
    yield firsts
    for at, choice in enumerate(choices):
        for one in choice[1:]:
            yield (*firsts[:at], one, *firsts[at + 1 :])
    yield tuple(choice[min(1, len(choice) - 1)] for choice in choices)
    yield tuple(choice[-1] for choice in choices)


@dataclass(slots=True)
class _Mending(Generic[Model]):
    """A block without what is lost of it, and with stand-ins there."""

    model: type[Model]
    value: Mapping[str, Any]
    lost: Collection[Where]
    form: Shape = field(init=False)

    def __post_init__(self) -> None:
        self.form = shape(self.model)
        self.lost = [where for where in sorted(self.lost) if not any(where[:n] in self.lost for n in range(len(where)))]

    def models(self) -> list[Model]:
        if () in self.lost:
            return []
        errors = self._errors(self._with({}))
        if errors:
            lifted = {slot(within(self._with({}), detail))[:1] for detail in errors}
            if () in lifted or lifted <= set(self.lost):
                return []
            return _Mending(self.model, self.value, {*self.lost, *lifted}).models()
        choices = []
        for where, fillings in self._known():
            good = [one for one in fillings if not self._errors(self._with({where: one}))]
            if not good:
                return []  # its default alone would stand for all that it may be
            choices.append([(where, one) for one in (_ABSENT, *good)])
        values = [self._with(dict(way)) for way in ways(choices)]
        return [validated(self.model, value) for value in values if not self._errors(value)]

    def together(self) -> Findings:
        if () in self.lost:
            return []  # the model's own validator has spoken already
        found = self._of_several({})
        for where, fillings in self._known():
            for one in fillings if found else ():
                again = self._of_several({where: one})
                found = [each for each in found if each in again]
        return [(inner, said) for inner, said in found if sound(said, self._names(inner))]

    def _names(self, inner: Where) -> Iterator[str]:
        """The words for what is lost of the block at *inner*: its validator has seen no other."""
        for where in self.lost:
            if where[: len(inner)] == inner:
                yield from (str(where[-1]), *self.form.names(where))

    def _of_several(self, put: Mapping[Where, Any]) -> Findings:
        value = self._with(put)
        errors = [detail for detail in self._errors(value) if detail["type"] in TOGETHER]
        return [(within(value, detail), reason(detail)) for detail in errors]

    def _known(self) -> Iterator[tuple[Where, list[Any]]]:
        """What is lost of what the model knows, with the stand-ins for it."""
        for where in self.lost:
            if found := self.form.at(where):
                entry = self.form.is_chosen(where) and any(one.get("type") == "object" for one in found)
                yield where, [*stand_ins(self.form, found), *([{}] if entry else ())]  # what is beside it needs no more

    def _errors(self, value: Mapping[str, Any]) -> list[ErrorDetails]:
        try:
            validated(self.model, value)
        except ValidationError as error:
            return details(error)
        return []

    def _with(self, put: Mapping[Where, Any]) -> dict[str, Any]:
        value: dict[str, Any] = dict(self.value)
        for where in self.lost:
            value = _changed(value, where, put.get(where, _ABSENT))
        return value


def reason(detail: ErrorDetails) -> str:
    """What a validator of our own has said."""
    return str(detail.get("ctx", {}).get("error") or detail["msg"])


def _changed(value: dict[str, Any], where: Where, to: Any) -> dict[str, Any]:
    """*value* with *to* at *where*, or with nothing there."""
    if not where:
        return {}
    step, rest = where[0], where[1:]
    if not rest and to is _ABSENT:
        return {key: one for key, one in value.items() if key != step}
    inner = value.get(str(step))
    if rest and not isinstance(inner, dict):
        return value if to is _ABSENT else {**value, str(step): _changed({}, rest, to)}
    return {**value, str(step): _changed(inner, rest, to) if rest and isinstance(inner, dict) else to}
