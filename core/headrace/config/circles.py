"""Circles of destinations: what is told comes back to who told it, for ever. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from headrace.plugins import Connector, Opening


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a mapping tells: its addresses, and where in the config the destination was written."""

    addresses: frozenset[str]
    path: str


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping, or a function's queue: what it reads, and what it tells."""

    reads: frozenset[str]
    tells: Sequence[Told]


def node(connector: Connector, opening: Opening) -> Node:
    """What the mapping of *opening* reads and tells, in words that connectors and destinations share."""
    tells = [Told(frozenset(to.kind.addresses(opening, to.options)), to.path) for to in opening.destinations]
    return Node(reads=frozenset(connector.addresses(opening)), tells=tells)


def circles(nodes: Mapping[str, Node]) -> Iterator[tuple[str, Sequence[str]]]:
    """Circles: where the destination stands that closes one, and the names on the way, the first again last.

    Not every way round, of which there may be more than can be counted: one for each time that a walk over all that is
    told comes back to where it has come through. Each begins with that of its names which comes first in *nodes*.
    """
    told, places = _told(nodes), {name: place for place, name in enumerate(nodes)}
    closed: set[frozenset[str]] = set()
    for way in _rounds(told):
        if frozenset(way) not in closed:
            closed.add(frozenset(way))
            names = list(way)
            at = names.index(min(names, key=places.__getitem__))
            yield way[names[at]], [*names[at:], *names[: at + 1]]


def _rounds(told: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[dict[str, str]]:
    """The names of each way round, and where the destination stands that leads to each of them."""
    done: set[str] = set()
    for name in told:
        way = {} if name in done else {name: ""}
        left = [iter(told[one]) for one in way]
        while left:
            path, reader = next(left[-1], ("", ""))
            if not reader:
                left.pop()
                done.add(way.popitem()[0])
            elif reader in way:
                names = list(way)
                yield {one: way[one] for one in names[names.index(reader) :]} | {reader: path}
            elif reader not in done:
                way[reader] = path
                left.append(iter(told[reader]))


def _told(nodes: Mapping[str, Node]) -> dict[str, list[tuple[str, str]]]:
    """Whom each of *nodes* tells, in their order, and where that destination stands."""
    readers: dict[str, dict[str, None]] = {}
    for name, one in nodes.items():
        for address in one.reads:
            readers.setdefault(address, {})[name] = None
    return {
        name: [
            (told.path, reader)
            for told in one.tells
            for reader in dict.fromkeys(chain.from_iterable(readers.get(place, ()) for place in sorted(told.addresses)))
        ]
        for name, one in nodes.items()
    }
