"""Circles of destinations: what is told comes back to who told it, for ever. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
    """Each circle once: where the destination stands that closes it, and the names on the way, the first again last."""
    closed: set[frozenset[str]] = set()
    for name in nodes:
        for path, way in _from(nodes, name, [name]):
            if frozenset(way) not in closed:
                closed.add(frozenset(way))
                yield path, way


def _from(nodes: Mapping[str, Node], name: str, way: list[str]) -> Iterator[tuple[str, list[str]]]:
    for told in nodes[name].tells:
        for reader, other in nodes.items():
            if not told.addresses & other.reads:
                continue
            if reader == way[0]:
                yield told.path, [*way, reader]
            elif reader not in way:
                yield from _from(nodes, reader, [*way, reader])
