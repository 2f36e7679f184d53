"""Every right that a config needs, by the identity that needs it, with the places in the config that ask for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from headrace.config import Config
from headrace.config.places import dotted
from headrace.config.together import steps_of
from headrace.right import Right
from headrace_connectors.needs import Identity, assumed


@dataclass(slots=True)
class Needed:
    """What one identity needs, and for what: paths in the config, in its order."""

    who: Identity
    rights: set[Right] = field(default_factory=set)
    places: list[str] = field(default_factory=list)


def gather(config: Config, names: Collection[str]) -> list[Needed]:
    """Of these mappings and queues of *config*, their destinations, and those who assume a role for them.

    What functions do in AWS is theirs to know; that somebody assumes their role is not.
    """
    found: dict[Identity, Needed] = {}
    for name in names:
        for right, place in _of(config, name):
            _note(found, right, place)
            if isinstance(right.who, Identity):
                _note(found, assumed(right.who), place)
    for name in dict.fromkeys(config.all[name].function for name in names):
        function = config.functions[name]
        role = Identity(profile=function.profile, role_arn=function.role_arn)
        _note(found, assumed(role), dotted(("functions", name)))
    return list(found.values())


def _note(found: dict[Identity, Needed], right: Right | None, place: str) -> None:
    if right is None or not isinstance(right.who, Identity):  # no right, or none of AWS's
        return
    needed = found.setdefault(right.who, Needed(right.who))
    needed.rights.add(right)
    if place not in needed.places:
        needed.places.append(place)


def _of(config: Config, name: str) -> Iterator[tuple[Right, str]]:
    """The rights of one mapping, each with the place in the config that asks for it."""
    opening = config.opening(name)
    for right in config.all[name].connector.rights(opening):
        yield right, dotted(("mappings", name, "source"))
    rights = [(to, to.kind.rights(opening, to.options)) for to in opening.destinations]
    rights += [(to, to.kind.claims.rights(opening, to.options)) for to in opening.claim_checks if to.kind.claims]
    for to, those in rights:
        for right in those:
            yield right, _place(name, to.path)


def _place(mapping: str, path: str) -> str:
    """Where a destination stands: its *path* is whole, or relative to its mapping."""
    within = (int(word) if word.isdecimal() else word for word in path.split("."))
    return dotted(steps_of(path) or ("mappings", mapping, *within))
