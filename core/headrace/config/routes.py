"""What is written for a mapping's destinations: one, several, those of a name, or rules; and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, TypeAlias

from headrace.config.destined import Target, destined
from headrace.config.patterns import Patterns
from headrace.config.places import Where, child, stands
from headrace.config.shape import nearest
from headrace.config.wording import Validator
from headrace.plugins import NO_VIEW, DestinationKind, Destined, Route, Routing
from headrace.settings import When

Several: TypeAlias = Sequence[Target | None]
"""Destinations that are told together; None where not even the kind of one is known."""

ENDS: Final = ("on_failure", "on_success")
CLAIM: Final = "claim_check"

_FEW: Final = 20


def place_of(end: str, what: str = "destination") -> Where:
    """The way to a destination within its mapping, or to its claim check."""
    return ("destination_config", end, what)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it was written; `sound` is false where its `when` has faults."""

    to: Several
    when: When | None = None
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Written:
    """What stands for one of a mapping's destinations; `claim` is its claim check, nothing or one."""

    rules: Sequence[Rule] = ()
    claim: Several = ()
    faulty: bool = False
    lost: frozenset[str] = field(default=frozenset())

    def kept(self, claim: Several) -> Written:
        """The same, with its claim check."""
        names = frozenset(name for target in claim if target for name in target.options.names())
        return replace(self, claim=claim, lost=self.lost | names)

    @property
    def whole(self) -> Routing | None:
        """None where it has faults."""
        found = list(self._routings(lambda target: [target.whole] if target.whole else []))
        return found[0] if found and not self.faulty else None

    def models(self) -> list[Routing]:
        """All that it may be, some of it where that is much."""
        return [] if self.faulty else list(self._routings(Target.models))[:_FEW]

    def _routings(self, each: Any) -> Iterator[Routing]:
        if None in self.claim or not all(rule.sound and None not in rule.to for rule in self.rules):
            return
        targets = [target for rule in self.rules for target in rule.to]
        for chosen in product(*(each(target) for target in [*targets, *self.claim] if target)):
            left = iter(chosen)
            yield Routing([_route(rule, [next(left) for _ in rule.to]) for rule in self.rules], next(left, None))


def _route(rule: Rule, to: Sequence[Destined]) -> Route:
    if rule.when is None:
        return Route(to=to)
    classes = None if rule.when.classes is None else frozenset(rule.when.classes)
    return Route(to=to, classes=classes, pattern=rule.when.pattern)


class _Place:
    """What stands at *steps* of a value, and where that is."""

    def __init__(self, value: Any, where: Where, path: str, steps: Where) -> None:
        self.stands = stands(value, steps)
        for step in steps:
            value = child(value, step)
        self.value, self.where = value, (*where, *steps)
        self.path = ".".join([*([path] if path else []), *map(str, steps)])


class Routes:
    """Reads destinations of one mapping, or of the config's `destinations`. Faults go to the validator.

    *named* are the config's own, by name; None where they may not be used. *patterns* checks a rule's event
    pattern; None where the source shows nothing to them.
    """

    def __init__(
        self,
        validator: Validator,
        kinds: Sequence[DestinationKind],
        named: Mapping[str, Several] | None = None,
        patterns: Patterns | None = None,
    ) -> None:
        self._validator, self._kinds, self._named, self._patterns = validator, kinds, named, patterns

    def config(self, value: Any, where: Where, path: str = "") -> dict[str, Written | None]:
        """Both ends of the `destination_config` in *value*; None for one that is not there."""
        found: dict[str, Written | None] = {}
        for end in ENDS:
            to, claim = (_Place(value, where, path, place_of(end, what)) for what in ("destination", CLAIM))
            found[end] = None
            if to.stands:
                read = self.read(to.value, to.where, to.path, of_failure=end == ENDS[0])
                found[end] = read.kept(self._claim(claim)) if claim.stands else read
        return found

    def _claim(self, place: _Place) -> Several:
        """One destination of a kind that can keep records."""
        if isinstance(place.value, list):
            self._validator.fault(place.where, "is one place: {type: …}, or the name of one of destinations:")
            return [None]
        found = self._one(place.value, place.where, place.path)
        able = " or ".join(kind.type for kind in self._kinds if kind.claims)
        if len(found) > 1:
            self._validator.fault(place.where, f"names several, and a record is kept in one; name one of type {able}")
            return [None]
        (target,) = found
        if target is not None and target.kind.claims is None:
            self._validator.fault(place.where, f"a {target.kind.type} keeps no records; name one of type {able}")
            return [None]
        return found

    def read(self, value: Any, where: Where, path: str, *, of_failure: bool) -> Written:
        """*value* as it stands at *where*."""
        if not _is_rules(value):
            return self._written([Rule(self.several(value, where, path))])
        rules = [
            self._rule(one, (*where, index), f"{path}.{index}", of_failure=of_failure)
            for index, one in enumerate(value)
        ]
        faulty = not all(rules)
        for index, one in enumerate(value[:-1]):
            if isinstance(one, dict) and "when" not in one:
                faulty = True
                self._validator.fault((*where, index), "fits everything, so none behind it is ever used; put it last")
        if isinstance(value[-1], dict) and "when" in value[-1]:
            faulty = True
            self._validator.fault(where, "must end in a rule without when, for all that fits none: add {to: …}")
        return self._written([one for one in rules if one], faulty=faulty)

    @staticmethod
    def _written(rules: Sequence[Rule], *, faulty: bool = False) -> Written:
        targets = [target for rule in rules for target in rule.to if target]
        return Written(rules, faulty=faulty, lost=frozenset(name for one in targets for name in one.options.names()))

    def _rule(self, value: Any, where: Where, path: str, *, of_failure: bool) -> Rule | None:
        if not isinstance(value, dict) or "to" not in value:
            self._validator.fault(where, "must be a rule, as those beside it: {when: {class: […], pattern: …}, to: …}")
            return None
        for strange in value.keys() - {"when", "to"}:
            self._validator.fault((*where, strange), "unknown option; known are to, when")
        to = self.several(value["to"], (*where, "to"), f"{path}.to")
        sound = value.keys() <= {"when", "to"}
        if "when" not in value:
            return Rule(to, sound=sound)
        part = self._validator.block(When, value["when"], (*where, "when"))
        when = part.whole
        if when is not None and when.classes and not of_failure:
            self._validator.fault((*where, "when", "class"), "is only of on_failure; what succeeded has none")
            sound = False
        if when is not None and when.pattern is not None:
            sound = self._pattern(when.pattern, (*where, "when", "pattern")) and sound
        return Rule(to, when, sound=sound and when is not None)

    def _pattern(self, pattern: Any, where: Where) -> bool:
        if self._patterns is None:
            self._validator.fault(where, f"{NO_VIEW}, so nothing can be told from its records; choose by class")
            return False
        return self._patterns.check(pattern, where)

    def several(self, value: Any, where: Where, path: str) -> list[Target | None]:
        """*value* as destinations that are told together."""
        if not isinstance(value, list):
            return self._one(value, where, path)
        if not value:
            self._validator.fault(where, "is empty; name a destination, or take it out")
            return [None]
        found = [
            target for index, one in enumerate(value) for target in self._one(one, (*where, index), f"{path}.{index}")
        ]
        return list({id(one): one for one in found}.values())  # a name that is there twice is told once

    def _one(self, value: Any, where: Where, path: str) -> list[Target | None]:
        if isinstance(value, str) and self._named is not None:
            if value in self._named:
                return list(self._named[value])
            if self._named and ":" not in value and not any(kind.text(value) is not None for kind in self._kinds):
                meant = nearest(value, list(self._named))
                mend = f"did you mean {meant}?" if meant else f"named are {', '.join(sorted(self._named))}"
                self._validator.fault(where, f"is neither a destination's name nor an ARN; {mend}")
                return [None]
        return [destined(self._validator, self._kinds, value, where, path, by_name=self._named is not None)]


def _is_rules(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) and one.keys() & {"when", "to"} for one in value)
