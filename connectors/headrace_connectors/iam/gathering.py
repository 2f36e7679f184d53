"""Every right that a config needs to run, by the identity that needs it, with the places that ask for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from headrace.config import Config
from headrace.config.places import dotted
from headrace.config.together import steps_of
from headrace.credentials import Identity
from headrace.right import Need, Right
from headrace_connectors.needs import assumed

RUNNING = frozenset({Need.RUN, Need.LOOK, Need.CHECK})


@dataclass(slots=True)
class Needed:
    """What one identity needs, and for what: paths in the config, in its order."""

    who: Identity
    rights: set[Right] = field(default_factory=set)
    places: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Sheet:
    """What is noted of each identity; *first* is what it takes to be one: its caller assumes it."""

    first: Need = Need.RUN
    found: dict[Identity, Needed] = field(default_factory=dict)

    def note(self, right: Right, place: str) -> None:
        if isinstance(right.who, Identity):  # else it is none of AWS's
            self._note(right.who, right, place)
            self.become(right.who, place)

    def become(self, who: Identity, place: str) -> None:
        if (right := assumed(who, self.first)) is not None:
            self._note(who.caller, right, place)

    def lent(self, config: Config, name: str) -> None:
        """The function's role. What functions do in AWS is theirs to know; that somebody assumes their role is not."""
        self.become(Identity.of(config.functions[name]), dotted(("functions", name)))

    def _note(self, who: Identity, right: Right, place: str) -> None:
        needed = self.found.setdefault(who, Needed(who))
        needed.rights.add(right)
        if place not in needed.places:
            needed.places.append(place)


def gather(config: Config, names: Collection[str]) -> list[Needed]:
    """Of these mappings and queues of *config*, their destinations, and those who assume a role for them."""
    sheet = Sheet()
    for name in names:
        for right, place in _of(config, name):
            if right.need in RUNNING:
                sheet.note(right, place)
    for name in dict.fromkeys(config.all[name].function for name in names):
        sheet.lent(config, name)
    return list(sheet.found.values())


def _of(config: Config, name: str) -> Iterator[tuple[Right, str]]:
    """The rights of one mapping, each with the place in the config that asks for it."""
    opening = config.opening(name)
    for right in config.all[name].connector.rights(opening):
        yield right, source_of(name)
    rights = [(to, to.kind.rights(opening, to.options)) for to in opening.destinations]
    rights += [(to, to.kind.claims.rights(opening, to.options)) for to in opening.claim_checks if to.kind.claims]
    for to, those in rights:
        for right in those:
            yield right, place_of(name, to.path)


def source_of(mapping: str) -> str:
    return dotted(("mappings", mapping, "source"))


def place_of(mapping: str, path: str) -> str:
    """Where a destination stands: its *path* is whole, or relative to its mapping."""
    within = (int(word) if word.isdecimal() else word for word in path.split("."))
    return dotted(steps_of(path) or ("mappings", mapping, *within))
