"""Destinations as a mapping's config has them, and the rules by which one of them is told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.destination import FailureClass

if TYPE_CHECKING:  # a kind is opened with an `Opening`, which has these
    from headrace.plugins import DestinationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Destined:
    """One destination as it was configured: its kind, and its options as that kind's model.

    `path` is where it was written: relative to its mapping, or whole where it stands elsewhere.
    """

    kind: DestinationKind
    options: Any
    path: str = ""

    @property
    def key(self) -> object:
        """Which of a mapping's it is: one that has a name is opened once, wherever it is used."""
        return self.path or id(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where what fits is told: to all of *to*.

    `classes` of failure, None: any; `pattern` is an event pattern on the record, None: any record.
    """

    to: Sequence[Destined]
    classes: frozenset[FailureClass] | None = None
    pattern: str | Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """The rules of one of a mapping's destinations: the first that fits is the one; the last fits everything.

    `claim_check` keeps what is too large for one of them; its kind has `claims`.
    """

    routes: Sequence[Route]
    claim_check: Destined | None = None

    @property
    def destinations(self) -> list[Destined]:
        """Those of all its rules, each once."""
        return each_once(one for route in self.routes for one in route.to)

    @classmethod
    def to(cls, *destinations: Destined) -> Routing:
        """To all of these, whatever it is."""
        return cls([Route(to=destinations)])


def each_once(several: Iterable[Destined]) -> list[Destined]:
    """Each of *several* once, in their order."""
    return list({one.key: one for one in several}.values())
