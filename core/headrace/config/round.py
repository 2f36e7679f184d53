"""All that a config runs, seen together: the queues that something is told to, and who tells whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from headrace.asynchronous import invocations, queue_of
from headrace.config.circles import Node, circles, node
from headrace.config.configured import MappingConfig
from headrace.config.entry import Around
from headrace.config.places import Places, Where, child, dotted
from headrace.config.queues import DEAD, INVOKING, Queue, queue_mapping, targets
from headrace.config.redacted import REDACT, on_redaction
from headrace.config.together import of_opening, steps_of
from headrace.config.wording import Validator
from headrace.errors import Fault
from headrace.plugins import Opening

STATE: Final = ("service", "state")


def queue_mappings(
    around: Around, mappings: Mapping[str, MappingConfig], folders: Mapping[Where, Path]
) -> dict[str, MappingConfig]:
    """The queues that run: those that are written, and those of functions that a destination is told of."""
    known = {name: one for name, one in (around.functions or {}).items() if one is not None}
    ends = [end for one in mappings.values() for end in (one.on_failure, one.on_success)]
    ends += [end for one in around.queues.values() for end in (one.on_failure, one.on_success)]
    told = targets(ends)
    found = {name: around.queues.get(name) or Queue() for name in known if name in around.queues or name in told}
    return {
        queue_of(name): queue_mapping(name, queue, folders["functions", name], around.section_folders)
        for name, queue in found.items()
    }


def look_round(validator: Validator, around: Around, running: Mapping[str, MappingConfig], value: Any) -> list[Fault]:
    """What is wrong with the destinations of functions, and with all destinations together; *value* is the config's.

    Returns what is dangerous about functions, their queues, and their store.
    """
    sections = {name: part.whole for name, part in around.sections.items() if part.whole is not None}
    if len(sections) < len(around.sections) or not around.service:
        return []
    functions = tuple(around.functions or ())
    openings = {name: one.opening(around.service, sections, 0.0, functions=functions) for name, one in running.items()}
    places = validator.places
    warnings = [*_forgotten(around, running, places.place(STATE)), *_dropped(around, running, places)]
    for name, one in running.items():
        if one.connector is invocations:
            at: Where = ("functions", one.function, INVOKING, REDACT)
            lost = on_redaction(one.connector, openings[name], dotted(at))
            warnings += [replace(warning, place=validator.places.place(at)) for warning in lost]
            for fault in of_opening(one.connector, openings[name]).faults:
                validator.fault(steps_of(fault.path), validator.places.scrub(fault.message))
    nodes = {name: node(one.connector, openings[name]) for name, one in running.items()}

    def place(name: str, path: str) -> Where:
        return steps_of(path) or ("mappings", name, *validator.places.find(child(child(value, "mappings"), name), path))

    for path, way in circles(nodes):
        if way[0] == way[-2] and running[way[0]].connector is not invocations:
            continue  # its own source: the destination's check says it, all values or not
        names = " → ".join(way)
        why = f"closes a circle, in which records would go round for ever: {names}; break it"
        validator.fault(place(way[-2], path), why)
    for name, path, why in _in_the_way(openings, nodes):
        validator.fault(place(name, path), why)
    return warnings


def _in_the_way(openings: Mapping[str, Opening], nodes: Mapping[str, Node]) -> Iterator[tuple[str, str, str]]:
    """Claim checks that are a destination besides: by mapping and path, and why they cannot be both."""
    tellers = {address: name for name, one in nodes.items() for told in one.tells for address in told.addresses}
    for name, opening in openings.items():
        for check in opening.claim_checks:
            teller = tellers.get(check.kind.claims.apart(opening, check.options)) if check.kind.claims else None
            if teller is not None:
                yield name, check.path, f"is a claim check of {name}, and a destination of {teller}: name two places"


def _dropped(around: Around, running: Mapping[str, MappingConfig], places: Places) -> Iterator[Fault]:
    """Functions whose queue has nowhere to send what it gives up, as on Lambda; one that is written may have faults."""
    for one in running.values():
        function = (around.functions or {}).get(one.function)
        if one.connector is not invocations or function is None or function.dead_letter_config is not None:
            continue
        own = function.event_invoke_config
        if own is None or own.destination_config is None or own.destination_config.on_failure is None:
            at: Where = ("functions", one.function, *([] if own is None else [INVOKING]))
            why = (
                "an asynchronous invocation that fails all its attempts, or is too old, is dropped: there is no "
                f"{INVOKING}.destination_config.on_failure, and no {DEAD[0]}, to take it"
            )
            yield Fault(dotted(at), why, places.place(at))


def _forgotten(around: Around, running: Mapping[str, MappingConfig], place: str) -> Iterator[Fault]:
    """What is promised for longer than a process lives, where the store is its memory."""
    if around.state != "memory:":
        return
    accepted = [one.function for one in running.values() if one.connector is invocations]
    once = [name for name, one in running.items() if one.settings.idempotency is not None]
    for names, what in ((accepted, "what is accepted for"), (once, "what idempotency knows of")):
        if names:
            why = f"{what} {', '.join(names)} is held by this process alone, and is gone with it"
            yield Fault(dotted(STATE), f"{why}; use sqlite:, or redis:// for several copies", place)
