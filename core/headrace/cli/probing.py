"""Asking the servers behind mappings, all at once and for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace

from headrace.config import Config
from headrace.config.configured import MappingConfig
from headrace.config.places import dotted
from headrace.config.together import outside, steps_of
from headrace.errors import Fault
from headrace.plugins import Opening, Probe


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for one mapping: the server's word, or why there is none."""

    probe: Probe
    problem: str = ""


def ask(config: Config, names: Collection[str], seconds: float) -> dict[str, Asked]:
    """Ask for each of the mappings and queues *names*; none takes longer than *seconds*."""
    return asyncio.run(_ask(config, names, seconds))


def placed(config: Config, mapping: str, fault: Fault) -> Fault:
    """A connector's fault, whose path is relative to its mapping, in the whole config."""
    if where := steps_of(fault.path):
        return replace(fault, path=dotted(where), place=fault.place or config.places.place(where))
    root = root_of(config, mapping)
    path = fault.path if fault.path.startswith(root) else f"{root}.{fault.path}" if fault.path else root
    return Fault(path, fault.message, fault.place or config.places.place(tuple(path.split("."))))


def root_of(config: Config, mapping: str) -> str:
    """Where in the config a mapping is written, or the function whose queue it is."""
    return f"functions.{config.queues[mapping].function}" if mapping in config.queues else f"mappings.{mapping}"


async def _ask(config: Config, names: Collection[str], seconds: float) -> dict[str, Asked]:
    return dict(zip(names, await asyncio.gather(*(_one(config, name, seconds) for name in names)), strict=True))


async def _one(config: Config, name: str, seconds: float) -> Asked:
    try:
        async with asyncio.timeout(seconds):
            return Asked(await _probe(config.all[name], config.opening(name)))
    except TimeoutError:
        return Asked(Probe(), f"the server did not answer within {seconds:g} s")
    except Exception as error:  # noqa: BLE001 - whatever a connector's client raises
        return Asked(Probe(), config.places.scrub(f"the server could not be asked: {type(error).__name__}: {error}"))


async def _probe(mapping: MappingConfig, opening: Opening) -> Probe:
    """What the source's server and the destination's say."""
    source = await mapping.connector.probe(opening)
    values, faults, warnings = dict(source.values), [*source.faults], [*source.warnings]
    asked = [(to, to.kind.probe) for to in opening.destinations]
    asked += [(to, to.kind.claims.probe) for to in opening.claim_checks if to.kind.claims]
    for to, probe in asked:
        said = await probe(opening, to.options)
        values |= {f"{to.path}.{path}": value for path, value in said.values.items()}
        faults += [outside(to, fault) for fault in said.faults]
        warnings += [outside(to, fault) for fault in said.warnings]
    return Probe(values=values, faults=faults, warnings=warnings)
