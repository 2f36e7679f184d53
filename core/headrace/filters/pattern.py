"""An event pattern: compiled with all its faults, and asked whether an event matches.

A list's items are ORed, keys are ANDed. `$or` is multiplied out into alternatives, each a set of conditions by path, in
the order in which the text stands: repeated objects merge, and of a repeated path the last counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from headrace.errors import PatternError
from headrace.filters import walk
from headrace.filters.matchers import Exists, Matcher, asks_for_numbers, test_of, words_of
from headrace.filters.operators import OPERATORS, Steps, matcher
from headrace.filters.tree import DEPTH, Pairs, read_pattern

ALTERNATIVES: Final = 1000
"""How many a pattern may have when every `$or` is multiplied out."""

RESERVED: Final = frozenset(OPERATORS) | frozenset(
    [
        "=",
        "<",
        "<=",
        ">",
        ">=",
        "regex",
        "not-wildcard",
        "not-equals-ignore-case",
        "date-after",
        "date-on-or-after",
        "date-before",
        "date-on-or-before",
        "in-date-range",
        "ip-address-in-range",
        "ip-address-not-in-range",
    ]
)
"""Words that are no field inside of `$or`."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What is asked of the leaves at one path; itself only, as the same may be written twice.

    *steps* is where in the pattern it stands.
    """

    path: str
    matchers: tuple[Matcher, ...]
    steps: Steps

    @property
    def words(self) -> str:
        """For people: `a number > 0 or "x"`."""
        return words_of(self.matchers)

    @property
    def absent(self) -> bool:
        """True if it is also met where no leaf is at its path."""
        return any(isinstance(one, Exists) and not one.wanted for one in self.matchers)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Conditions that must all be met at once.

    *required* are their bits, *absences* the bits of those that the lack of a leaf meets too.
    """

    conditions: tuple[Condition, ...]
    required: int
    absences: tuple[int, ...]


class Pattern:
    """A compiled pattern: `alternatives`, of which one must be met.

    `numbers` is true where the text of an event's numbers may decide (`tree.read_event` keeps it).
    """

    def __init__(self, conditions: Mapping[Condition, int], alternatives: Iterable[Iterable[Condition]]) -> None:
        self._root = walk.Node()
        for condition, bit in conditions.items():
            self._root.add(condition.path.split("."), bit, test_of(condition.matchers))
        self._root.close()
        self._bits = conditions
        self.alternatives = tuple(_alternative(tuple(one), conditions) for one in alternatives)
        self.numbers = any(asks_for_numbers(condition.matchers) for condition in conditions)

    def bits(self, alternative: Alternative, key: str) -> int:
        """The conditions of *alternative* on the top-level *key* and what lies in it."""
        return sum(self._bits[one] for one in alternative.conditions if one.path.split(".")[0] == key)

    def matches(self, event: dict[str, Any]) -> bool:
        """True if *event* matches. Never raises; the cost is that of looking at each value once an alternative."""
        return any(self.meets(event, one) for one in self.alternatives)

    def meets(self, event: dict[str, Any], alternative: Alternative, without: int = 0) -> bool:
        """True if *event* meets *alternative*, but for the conditions *without*."""
        required = alternative.required & ~without
        for bit in alternative.absences:
            if required & bit and not walk.is_there(event, self._root, bit):
                required &= ~bit
        return walk.meets(event, self._root, required)


def _alternative(conditions: tuple[Condition, ...], bits: Mapping[Condition, int]) -> Alternative:
    required = 0
    for condition in conditions:
        required |= bits[condition]
    return Alternative(conditions, required, tuple(bits[condition] for condition in conditions if condition.absent))


def compile_pattern(written: str | Mapping[str, Any]) -> Pattern:
    """The pattern that *written* means, JSON text or a mapping.

    Raises:
        PatternError: the first of `faults`.
    """
    pattern, found = _compiled(written)
    if pattern is None:
        raise found[0]
    return pattern


def faults(written: str | Mapping[str, Any]) -> list[PatternError]:
    """All that is wrong with a pattern."""
    return _compiled(written)[1]


def _compiled(written: str | Mapping[str, Any]) -> tuple[Pattern | None, list[PatternError]]:
    """AWS reads a `$or` of the wrong shape as a field of that name, when the whole pattern is right that way."""
    try:
        tree = read_pattern(written)
        first = _Compiler(or_is_word=True)
        pattern = first.pattern(tree)
        if pattern is None and first.has_or:
            pattern = _Compiler(or_is_word=False).pattern(tree)
    except PatternError as error:
        return None, [error]
    return pattern, [] if pattern else first.faults


class _Compiler:
    """One pass over a tree; faults of single leaves are gathered."""

    def __init__(self, *, or_is_word: bool) -> None:
        self.or_is_word, self.has_or = or_is_word, False
        self.conditions: dict[Condition, int] = {}
        self.faults: list[PatternError] = []

    def pattern(self, tree: Any) -> Pattern | None:
        """The pattern; None with faults."""
        rules: list[dict[str, Condition]] = [{}]
        if isinstance(tree, Pairs):
            rules = self._object(tree, (), (), rules, in_or=False)
        else:
            self._fault("Filter is not an object", (), "write a JSON object")
        used = {condition for rule in rules for condition in rule.values()}  # of a repeated path the last counts
        conditions = {condition: bit for condition, bit in self.conditions.items() if condition in used}
        return None if self.faults else Pattern(conditions, [rule.values() for rule in rules])

    def _fault(self, reason: str, steps: Steps, mend: str = "") -> None:
        self.faults.append(PatternError(reason, steps, mend))

    def _object(
        self, pairs: Pairs, path: tuple[str, ...], steps: Steps, rules: list[dict[str, Condition]], *, in_or: bool
    ) -> list[dict[str, Condition]]:
        if not pairs:
            self._fault("Empty objects are not allowed", steps, "name a field")
        for key, value in pairs:
            at = (*steps, key)
            if key == "$or" and self.or_is_word:
                rules = self._or(value, path, at, rules)
            elif in_or and key in RESERVED:
                self._fault(f"{key} is Ruler reserved fieldName which cannot be used inside $or.", at)
            elif isinstance(value, Pairs):
                rules = self._object(value, (*path, key), at, rules, in_or=in_or)
            elif isinstance(value, list):
                self._leaf(value, ".".join((*path, key)), at, rules)
            else:
                mend = "name its fields" if value is None else "write the value in [ ]"
                self._fault(f'"{key}" must be an object or an array', at, mend)
        return rules

    def _leaf(self, items: list[Any], path: str, steps: Steps, rules: list[dict[str, Condition]]) -> None:
        if not items:
            self._fault("Empty arrays are not allowed", steps, "write the values of which one is wanted")
        if path.count(".") >= DEPTH:
            self._fault(f"Filter is nested too deep: at most {DEPTH} levels are allowed", steps[:3])
        matchers = []
        for index, item in enumerate(items):
            try:
                matchers.append(matcher(item, (*steps, index)))
            except PatternError as error:
                self.faults.append(error)
        condition = Condition(path, tuple(matchers), steps)
        self.conditions[condition] = 1 << len(self.conditions)
        for rule in rules:
            rule[path] = condition

    def _or(
        self, value: Any, path: tuple[str, ...], steps: Steps, rules: list[dict[str, Condition]]
    ) -> list[dict[str, Condition]]:
        self.has_or = True
        if isinstance(value, Pairs) or not isinstance(value, list):
            self._fault("It must be an Array followed with $or.", steps, "write objects in [ ]")
            return rules
        if len(value) < 2:  # noqa: PLR2004 - AWS's least
            self._fault("There must have at least 2 Objects in $or relationship.", steps)
        together: list[dict[str, Condition]] = []
        for branch, at in self._branches(value, steps):
            together += self._object(branch, path, at, [dict(rule) for rule in rules], in_or=True)
            if len(together) > ALTERNATIVES:
                mend = f"at most {ALTERNATIVES} alternatives, with every $or multiplied out"
                raise PatternError("Rule is too complex - try using fewer $or", steps, mend)
        return together or rules

    def _branches(self, value: list[Any], steps: Steps) -> Iterator[tuple[Pairs, Steps]]:
        for index, branch in enumerate(value):
            if isinstance(branch, Pairs):
                yield branch, (*steps, index)
            else:
                self._fault("Only JSON object is allowed in array of $or relationship.", (*steps, index))
