"""Follow paths into a JSON value, replace what they lead to, and remember it. Pure.

When in doubt it hides: where a path goes on by name and the value does not (a text where an object was expected), that
value is replaced. Lists are gone through, and so is JSON text within JSON.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from headrace import jsontext
from headrace.jsontext import Place
from headrace.masking.nodes import Held, Node, Written
from headrace.masking.paths import ANY, Path

MASK: Final = "***"

StandIn: TypeAlias = Callable[[Any], tuple[Any, Any]]
"""What stands for a value, in the shape that its place asks for; and what of the value is secret."""

TYPED_WITHIN: Final = frozenset({"M", "L"})
"""Types whose value has typed values in it."""


class Way(NamedTuple):
    """A path, how many of its steps were taken, and whether the last was a name."""

    path: Path
    taken: int = 0
    named: bool = False

    @property
    def step(self) -> str | None:
        """The next one; None at the end."""
        return self.path.steps[self.taken] if self.taken < len(self.path.steps) else None

    @property
    def over(self) -> bool:
        return self.step is None


def onward(ways: Iterable[Way], name: str) -> list[Way]:
    """Those that lead into what is called *name*, one step on."""
    return [Way(way.path, way.taken + 1, way.step != ANY) for way in ways if way.step in {name, ANY}]


def plain(value: Any) -> tuple[Any, Any]:
    """Whatever it is."""
    return MASK, value


@dataclass(slots=True)
class Found:
    """What was replaced: the paths that led to something, and every text and number there, as text."""

    paths: set[Path] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)

    def leaves(self, node: Node) -> None:
        """Remember what is in *node*: as it is, as it was written, what base64 says, and bytes as a list of them."""
        if (members := node.members()) is not None:
            for _, inner in members:
                self.leaves(inner)
        elif (items := node.items()) is not None:
            for inner in items:
                self.leaves(inner)
        elif isinstance(value := node.value, bytes):
            signed = [str(one) for one in memoryview(value).cast("b")]
            self.texts |= {", ".join(signed), ",".join(signed), value.decode(errors="ignore")}
        elif isinstance(value, str):
            self.texts |= {value, node.written}
            with suppress(ValueError):
                self.texts.add(b64decode(value, validate=True).decode())
        elif value is not None and not isinstance(value, bool):
            self.texts |= {str(value), node.written}


@dataclass(frozen=True, slots=True)
class Walk:
    """Through one part of an event.

    Of *typed* values, which have the name of their type round them (`{"S": "x"}`), paths may leave that out.
    """

    found: Found
    stand_in: StandIn = plain
    typed: frozenset[str] = frozenset()

    def into(self, node: Node, ways: Sequence[Way]) -> None:
        """Replace what *ways* lead to in *node*."""
        if any(way.over for way in ways):
            self._replace(node, [way for way in ways if way.over])
        elif (members := node.members()) is not None:
            self._into_object(node, members, ways)
        elif (items := node.items()) is not None:
            for index, inner in enumerate(items):
                self.into(inner, list(dict.fromkeys([*ways, *onward(ways, str(index))])))
        else:
            self._into_scalar(node, ways)

    def document(self, text: str, ways: Sequence[Way]) -> str | None:
        """*text* with what *ways* lead to in it replaced; None where it is neither a JSON object nor an array."""
        if text.lstrip(" \t\n\r")[:1] not in {"{", "["}:
            return None
        try:
            if jsontext.parse(text) is None:
                return None
            changes: list[tuple[Place, str]] = []
            self.into(Written(text, jsontext.whole(text), changes), ways)
        except RecursionError:
            return None
        return jsontext.replaced(text, changes)

    def _into_object(self, node: Node, members: Sequence[tuple[str, Node]], ways: Sequence[Way]) -> None:
        if self.typed and len(members) == 1 and members[0][0] in self.typed:
            self._into_typed(node, *members[0], ways)
            return
        for name, inner in members:
            if further := onward(ways, name):
                self.into(inner, further)

    def _into_typed(self, node: Node, kind: str, inner: Node, ways: Sequence[Way]) -> None:
        beside = [way for way in ways if way.step != kind]
        if kind in TYPED_WITHIN:
            self.into(inner, [*onward(ways, kind), *beside])
        elif lost := [way for way in beside if way.named]:
            self._replace(node, lost)
        elif further := onward(ways, kind):
            self.into(inner, further)

    def _into_scalar(self, node: Node, ways: Sequence[Way]) -> None:
        value = node.value
        if isinstance(value, str) and (changed := self.document(value, ways)) is not None:
            if changed != value:
                node.replace(changed)
        elif value is not None and not isinstance(value, bool) and (lost := [way for way in ways if way.named]):
            self._replace(node, lost)

    def _replace(self, node: Node, ways: Sequence[Way]) -> None:
        self.found.paths |= {way.path for way in ways}
        value = node.value
        instead, secret = self.stand_in(value)
        self.found.leaves(node if secret is value else Held([secret], 0))
        node.replace(instead)
