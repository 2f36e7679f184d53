"""Which conditions one event meets at once: one way down the event, by the keys that the pattern names.

Elements of an array act as children of its parent, but what is taken from inside of an array is taken from one element
(array consistency). So the answer for a value is a list of sets of conditions, none inside another: an object joins
those of its members, an array offers those of its elements. Sets are bits of an int.

A path's steps are joined by dots, so the same path may lead through several members ("a.b", and "b" in "a"); only then
can one set be short of what another has. Elsewhere a member that does not meet all that is asked of it ends the search,
and the cost is that of looking at each value once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from headrace.filters.matchers import Test
from headrace.filters.tree import Repeated

KEPT: Final = 256
"""Sets kept for one value, the largest first. Only members that give one path twice make more than a few."""

_NONE: Final[tuple[int, ...]] = ()


class Node:
    """A step of the paths that a pattern names.

    `tests` are the conditions on a leaf here, each with its bit; `mask` is every bit here and below; `table` gives for
    each key that an event may hold here the node that it leads to, keys with dots too (`dotted`).
    """

    __slots__ = ("dotted", "mask", "own", "steps", "table", "tests")

    def __init__(self) -> None:
        self.tests: list[tuple[int, Test]] = []
        self.own = self.mask = 0
        self.steps: dict[str, Node] = {}
        self.table: dict[str, Node] = {}
        self.dotted: frozenset[str] = frozenset()

    def add(self, steps: Sequence[str], bit: int, test: Test) -> None:
        """A condition *test*, known as *bit*, on the leaves at the end of *steps*."""
        node = self
        node.mask |= bit
        for step in steps:
            node = node.steps.setdefault(step, Node())
            node.mask |= bit
        node.own |= bit
        node.tests.append((bit, test))

    def close(self) -> None:
        """Fill the tables, once every condition is in."""
        self.table = dict(self._keys())
        self.dotted = frozenset(self.table.keys() - self.steps.keys())
        for node in self.steps.values():
            node.close()

    def _keys(self) -> Iterable[tuple[str, Node]]:
        for step, node in self.steps.items():
            yield step, node
            yield from ((f"{step}.{rest}", deeper) for rest, deeper in node._keys())  # noqa: SLF001 - its own kind


def meets(event: dict[str, Any], root: Node, required: int) -> bool:
    """True if *event* meets all conditions of *required* at once."""
    return not required or bool(_of_object(event, root, required, required))


def _of_object(value: dict[str, Any], node: Node, asked: int, must: int) -> Sequence[int]:
    """The largest sets of *asked* that *value* meets at once; only those with all of *must*."""
    members = _members(value, node, asked)
    seen = shared = 0
    for child, _ in members:
        shared |= seen & child.mask
        seen |= child.mask
    if must & ~seen:
        return _NONE
    found: Sequence[int] = (0,)
    for child, inner in members:
        mine = child.mask & asked
        alone = must & mine & ~shared
        kind = type(inner)
        if kind is dict or kind is Repeated:
            more = _of_object(inner, child, mine, alone)
        elif kind is list:
            more = _of_array(inner, child, mine, alone)
        else:
            more = _of_leaf(inner, child, mine, alone)
        if not more:
            return _NONE
        found = more if len(found) == 1 and not found[0] else _largest({one | other for one in found for other in more})
    return [one for one in found if not must & ~one] if shared else found


def _members(value: dict[str, Any], node: Node, asked: int) -> list[tuple[Node, Any]]:
    if type(value) is Repeated:
        table = node.table
        return [(table[key], inner) for key, inner in value.pairs if key in table and table[key].mask & asked]
    table = node.steps if not node.dotted or value.keys().isdisjoint(node.dotted) else node.table
    return [(child, value[key]) for key, child in table.items() if key in value and child.mask & asked]


def _of_leaf(leaf: Any, node: Node, asked: int, must: int) -> Sequence[int]:
    met = 0
    for bit, test in node.tests:
        if bit & asked and test(leaf):
            met |= bit
    return _NONE if must & ~met else (met,)


def _of_array(items: list[Any], node: Node, asked: int, must: int) -> Sequence[int]:
    """Leaves of an array go with everything in it; of its objects and arrays one is chosen."""
    found: set[int] = set()
    pending = [(items, 0)]
    while pending:
        items, met = pending.pop()
        inner = []
        for item in items:
            kind = type(item)
            if kind is dict or kind is list or kind is Repeated:
                inner.append(item)
            elif node.own & asked & ~met:
                met |= _of_leaf(item, node, asked & ~met, 0)[0]
        found.add(met)
        rest = asked & ~met
        for item in inner if rest else ():
            if type(item) is list:
                pending.append((item, met))
                continue
            for one in _of_object(item, node, rest, must & ~met):
                found.add(met | one)
                if one == rest:
                    return (asked,)
    return _largest({one for one in found if not must & ~one})


def _largest(found: set[int]) -> Sequence[int]:
    """Those that are in no other, at most `KEPT`."""
    if len(found) < 2:  # noqa: PLR2004
        return tuple(found)
    kept: list[int] = []
    for one in sorted(found, key=int.bit_count, reverse=True):
        if not any(one & ~other == 0 for other in kept):
            kept.append(one)
            if len(kept) == KEPT:
                break
    return kept


def is_there(value: Any, node: Node, bit: int) -> bool:
    """True if any leaf stands at the path of condition *bit*, in whichever element of an array."""
    pending = [(value, node)]
    while pending:
        value, node = pending.pop()
        kind = type(value)
        if kind is dict or kind is Repeated:
            pending += [(inner, child) for child, inner in _members(value, node, bit)]
        elif kind is list:
            pending += [(item, node) for item in value]
        elif node.own & bit:
            return True
    return False
