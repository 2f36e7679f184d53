"""What a connector is told when a mapping opens it, and what it says of the server that it was to ask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel

from headrace.clock import SYSTEM, Clock
from headrace.errors import Fault
from headrace.observe import Log, Tally
from headrace.routing import Destined, Routing, each_once
from headrace.settings import MappingSettings

if TYPE_CHECKING:
    from headrace.leases import Leases


def mapping_uuid(service: str, mapping: str) -> UUID:
    """What stands for a mapping's UUID: keys of S3, the default consumer group. A promise: it never changes."""
    return uuid5(uuid5(NAMESPACE_URL, f"headrace:{service}"), mapping)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """All that a connector is told when a mapping opens it.

    `settings` are effective: what the user wrote, with the source's defaults filled in. `options` is the source block
    as the connector's own model. `sections` are the catalog's top-level blocks of the config, by name. `folder` is what
    relative paths are relative to; `section_folders` has the sections' own. `on_failure` and `on_success` say where
    what was given up, and what succeeded, is told of; `dead_letter` is the function's own, for asynchronous
    invocations. `functions` are the names of all functions. `tally` gives the counts of a lane by its name, `words`
    what it is doing, for people, and `still_runs` whether a call runs that a lane of that name has left behind.
    `leases` are the process's own, for sharded sources; `shared` is one dictionary for all mappings of a process, for
    what they must share (a rate that a source allows once). `commit_interval` is in seconds. `state` is the URL of the
    store, empty where it is not known; without `keeps` nothing is written there of records whose destination is away.
    """

    service: str
    mapping: str
    settings: MappingSettings
    options: Any
    sections: Mapping[str, BaseModel]
    function_timeout: float
    log: Log
    folder: Path = Path()
    section_folders: Mapping[str, Path] = field(default_factory=dict)
    on_failure: Routing | None = None
    on_success: Routing | None = None
    dead_letter: Destined | None = None
    functions: Collection[str] = ()
    clock: Clock = SYSTEM
    tally: Callable[[str], Tally] = lambda _: Tally()
    words: Callable[[str], str] = lambda _: ""
    still_runs: Callable[[str], bool] = lambda _: False
    leases: Leases | None = None
    commit_interval: float = 1.0
    state: str = ""
    keeps: bool = True
    shared: dict[object, Any] = field(default_factory=dict)

    @property
    def uuid(self) -> UUID:
        """The mapping's, as Lambda gives each one: here the same for ever, of the service's name and its own."""
        return mapping_uuid(self.service, self.mapping)

    @property
    def destinations(self) -> list[Destined]:
        """Every destination of the mapping, once."""
        routed = [one for routing in self._routings for one in routing.destinations]
        return each_once([*routed, *([self.dead_letter] if self.dead_letter else [])])

    @property
    def claim_checks(self) -> list[Destined]:
        """Every place where records are kept that are too large, once."""
        return each_once([routing.claim_check for routing in self._routings if routing.claim_check])

    @property
    def _routings(self) -> list[Routing]:
        return [routing for routing in (self.on_failure, self.on_success) if routing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a server says about a mapping: effective values that come from it, and what is wrong or dangerous."""

    values: Mapping[str, object] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()
