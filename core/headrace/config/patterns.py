"""The event patterns of a mapping: every fault with the place of what is wrong, and how each pattern is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.config.places import Where, dotted, printable
from headrace.config.shape import nearest
from headrace.config.wording import Validator
from headrace.errors import Fault, PatternError
from headrace.filters import Pattern, View, compile_pattern, faults
from headrace.filters.view import Format


class Patterns:
    """Checks event patterns against what a source shows. Faults go to the validator; `warnings` are kept here.

    *view* is what they see of a record; None where nobody can say.
    """

    def __init__(self, validator: Validator, view: View | None) -> None:
        self.validator, self.view = validator, view
        self.warnings: list[Fault] = []

    def check(self, pattern: Any, where: Where) -> bool:
        """Whether *pattern*, written at *where*, is sound."""
        if self.validator.places.is_broken_within(where):
            return False
        found = faults(pattern)
        for fault in found:
            self._fault(where, fault, pattern)
        if not found and self.view is not None:
            self._against(self.view, compile_pattern(pattern), where)
        return not found

    def _fault(self, where: Where, fault: PatternError, pattern: object) -> None:
        """A mapping has a line for what is wrong; a text has one line, and the place within it is told."""
        if isinstance(pattern, str):
            within = f"{fault.place}: " if fault.steps else ""
            self.validator.fault(where, self.validator.places.scrub(f"{within}{fault}"))
        else:
            self.validator.fault((*where, *fault.steps), self.validator.places.scrub(str(fault)))

    def _against(self, view: View, pattern: Pattern, where: Where) -> None:
        """What only the source shows: a format that it refuses, a key that none of its records has."""
        formats = {view.format(alternative) for alternative in pattern.alternatives}
        if not view.plain and formats & {Format.PLAIN, Format.OTHER}:
            self.validator.fault(
                (*where, view.payload),
                f"Invalid filter pattern definition. {view.payload} is JSON here: name its fields, "
                f"as {{{view.payload}: {{field: [value]}}}}",
            )
        for key in view.unknown(pattern):
            meant = nearest(key, [view.payload, *view.keys])
            mend = (
                f"did you mean {meant}?" if meant else f"its fields are {', '.join(sorted({view.payload, *view.keys}))}"
            )
            message = f"no {view.record} has a field {printable(key)}: only exists: false finds that; {mend}"
            self.warnings.append(Fault(dotted((*where, key)), message, self.validator.places.place((*where, key))))


def sound_filters(patterns: Patterns, mapping: Mapping[str, Any], where: Where) -> dict[str, Any]:
    """*mapping* with an empty text for each pattern of its filters that has faults: the model need not look at it."""
    criteria = mapping.get("filter_criteria")
    if not isinstance(criteria, dict) or not isinstance(criteria.get("filters"), list):
        return dict(mapping)

    def sound(index: int, one: Any) -> Any:
        pattern = one.get("pattern") if isinstance(one, dict) else None
        if not isinstance(pattern, dict | str):
            return one
        fine = patterns.check(pattern, (*where, "filter_criteria", "filters", index, "pattern"))
        return one if fine else {**one, "pattern": ""}

    filters = [sound(index, one) for index, one in enumerate(criteria["filters"])]
    return {**mapping, "filter_criteria": {**criteria, "filters": filters}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One condition of a pattern, as it is read.

    *steps* is where in the pattern it stands; *first* marks the first of an alternative.
    """

    path: str
    words: str
    steps: Where
    first: bool


def readings(pattern: str | Mapping[str, Any]) -> Iterator[Reading]:
    """Every condition of *pattern*: alternatives with `$or` multiplied out, one after the other."""
    for alternative in compile_pattern(pattern).alternatives:
        for index, condition in enumerate(alternative.conditions):
            yield Reading(
                path=condition.path,
                words=condition.words,
                steps=condition.steps,
                first=index == 0,
            )
