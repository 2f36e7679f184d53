"""What one item of a pattern's list asks of a leaf, and how it reads in words.

A leaf is a text, a number, true, false or null; a matcher of one kind never matches a leaf of another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol, TypeAlias

from headrace.errors import PatternError
from headrace.filters.addresses import Address, address
from headrace.filters.tree import Literal, Number

Test: TypeAlias = Callable[[Any], bool]

STARS: Final = 5
"""Wildcards of one text. AWS has a formula of its own: it refuses `*:*:*:*:*:event-bus/*`, with six."""

_NUMBERS: Final = (int, float)


class Matcher(Protocol):
    """One item of a list."""

    @property
    def words(self) -> str:
        """For people: `a number > 0`."""
        ...

    def matches(self, leaf: Any) -> bool: ...


def quoted(text: str) -> str:
    """*text* as JSON would write it, readable where it can be."""
    plain = json.dumps(text, ensure_ascii=False)
    return plain if plain.isprintable() else json.dumps(text)


@dataclass(frozen=True)
class Exact:
    """The same text or constant, or a number of the same value."""

    value: str | bool | Number | None

    @property
    def words(self) -> str:
        if isinstance(self.value, Literal):
            return f"the number {self.value.text}, as it is written"
        return quoted(self.value) if isinstance(self.value, str) else json.dumps(self.value)

    def matches(self, leaf: Any) -> bool:
        value = self.value
        if value is None or value is True or value is False:
            return leaf is value
        return leaf == value and leaf is not True and leaf is not False


@dataclass(frozen=True)
class InNetwork:
    """A text that is an IP address from *first* to *last*; *text* is how the block, or the one address, was written."""

    text: str
    first: Address
    last: Address

    @property
    def words(self) -> str:
        block = self.first != self.last
        return f"an IP address in {self.text}" if block else f"{quoted(self.text)}, as an IP address"

    def matches(self, leaf: Any) -> bool:
        found = address(leaf) if type(leaf) is str else None
        return found is not None and self.first <= found <= self.last


@dataclass(frozen=True)
class Affix:
    """A text that begins, or ends, with a text."""

    text: str
    at_end: bool

    @property
    def words(self) -> str:
        return f"a text that {'ends' if self.at_end else 'begins'} with {quoted(self.text)}"

    def matches(self, leaf: Any) -> bool:
        return type(leaf) is str and (leaf.endswith(self.text) if self.at_end else leaf.startswith(self.text))


@dataclass(frozen=True)
class AnyCase:
    """A text that is, begins or ends with a text in any case. *where* is "", "begins" or "ends".

    Character by character, as AWS does it: each may stand in its lower or upper form.
    """

    text: str
    where: str = ""

    @property
    def words(self) -> str:
        said = f"{quoted(self.text)} in any case"
        return f"a text that {self.where} with {said}" if self.where else said

    @cached_property
    def _form(self) -> re.Pattern[str]:
        forms = "".join(_cases(character) for character in self.text)
        return re.compile({"begins": rf"\A{forms}", "ends": rf"{forms}\Z"}.get(self.where, rf"\A{forms}\Z"))

    def matches(self, leaf: Any) -> bool:
        return type(leaf) is str and self._form.search(leaf) is not None


def _cases(character: str) -> str:
    forms = dict.fromkeys((character, character.lower(), character.upper()))
    return f"(?:{'|'.join(map(re.escape, forms))})"


@dataclass(frozen=True)
class Wildcard:
    """A text of which the pieces between stars come in order; *pieces* are free of escapes."""

    text: str
    pieces: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"a text like {quoted(self.text)}"

    def matches(self, leaf: Any) -> bool:
        """The first place that fits is the best for each piece, so there is nothing to take back."""
        if type(leaf) is not str:
            return False
        first, last = self.pieces[0], self.pieces[-1]
        if len(self.pieces) == 1:
            return leaf == first
        if len(leaf) < len(first) + len(last) or not (leaf.startswith(first) and leaf.endswith(last)):
            return False
        at, end = len(first), len(leaf) - len(last)
        for piece in self.pieces[1:-1]:
            at = leaf.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


def wildcard(text: str, steps: tuple[str | int, ...]) -> Wildcard:
    r"""The wildcard in *text*: `*` is any run of characters, `\*` and `\\` are plain ones.

    Raises:
        PatternError: two stars meet, an escape is none, or there are more than `STARS`. Positions are AWS's: in UTF-8,
            counted from 1 (its quote is at 0).
    """
    pieces, at = [""], 0
    while at < len(text):
        character = text[at]
        following = text[at + 1 : at + 2]
        if character == "*":
            if following == "*":
                raise PatternError(
                    f"Consecutive wildcard characters at pos {_position(text, at)}", steps, "write one *"
                )
            pieces.append("")
        elif character == "\\":
            if following not in {"*", "\\"}:
                reason = f"Invalid escape character at pos {_position(text, at)}"
                raise PatternError(
                    reason, steps, r"write \* for a star and \\ for a backslash (in JSON each \ doubled)"
                )
            pieces[-1] += following
            at += 1
        else:
            pieces[-1] += character
        at += 1
    if len(pieces) - 1 > STARS:
        raise PatternError(
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
            "wildcard character",
            steps,
            f"at most {STARS} * in one text",
        )
    return Wildcard(text, tuple(pieces))


def _position(text: str, at: int) -> int:
    return len(text[:at].encode("utf-8", "surrogatepass")) + 1


@dataclass(frozen=True)
class Range:
    """A number between two bounds; a bound that is None is not there."""

    low: int | float | None = None
    low_open: bool = False
    high: int | float | None = None
    high_open: bool = False

    @property
    def words(self) -> str:
        low = None if self.low is None else f"{'>' if self.low_open else '>='} {json.dumps(self.low)}"
        high = None if self.high is None else f"{'<' if self.high_open else '<='} {json.dumps(self.high)}"
        return f"a number {' and '.join(filter(None, (low, high)))}"

    def matches(self, leaf: Any) -> bool:
        if type(leaf) not in _NUMBERS:
            return False
        low, high = self.low, self.high
        if low is not None and (leaf <= low if self.low_open else leaf < low):
            return False
        return high is None or (leaf < high if self.high_open else leaf <= high)


@dataclass(frozen=True)
class Exists:
    """Any leaf at all, or none anywhere at the path: what the walk asks, not the leaf."""

    wanted: bool

    @property
    def words(self) -> str:
        return "any value" if self.wanted else "not there"

    def matches(self, leaf: Any) -> bool:  # noqa: ARG002 - every leaf exists
        return self.wanted


@dataclass(frozen=True)
class AnythingBut:
    """A leaf that none of these match; one of another kind is such a leaf."""

    these: tuple[Matcher, ...]

    @property
    def words(self) -> str:
        words = [one.words for one in self.these]
        return f"anything but {words[0]}" if len(words) == 1 else f"neither {' nor '.join(words)}"

    def matches(self, leaf: Any) -> bool:
        return not any(one.matches(leaf) for one in self.these)


def test_of(matchers: Sequence[Matcher]) -> Test:
    """One question that is true where any of *matchers* is."""
    texts = frozenset(one.value for one in matchers if isinstance(one, Exact) and isinstance(one.value, str))
    tests = [one.matches for one in matchers if not (isinstance(one, Exact) and isinstance(one.value, str))]
    if not tests:
        return texts.__contains__
    if not texts and len(tests) == 1:
        return tests[0]
    return lambda leaf: leaf in texts or any(test(leaf) for test in tests)


def words_of(matchers: Sequence[Matcher]) -> str:
    """`"a" or a number > 0`."""
    return " or ".join(one.words for one in matchers)


def asks_for_numbers(matchers: Sequence[Matcher]) -> bool:
    """True where the text of a number may decide."""
    for one in matchers:
        inner = one.these if isinstance(one, AnythingBut) else (one,)
        for each in inner:
            number = isinstance(each, Exact) and not isinstance(each.value, str | bool | None)
            if number or isinstance(each, Range):
                return True
    return False
