"""What only the values of a mapping together show: faults and warnings, of all that the mapping may turn out to be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from headrace.config.effective import effective
from headrace.config.places import Where, printable
from headrace.config.redacted import on_redaction
from headrace.config.salvage import sound
from headrace.config.shape import nearest
from headrace.errors import Fault
from headrace.jmes import fields
from headrace.plugins import Connector, Destined, Opening
from headrace.settings import MappingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Of one mapping; paths are relative to it."""

    faults: list[Fault]
    warnings: list[Fault]


def agreed(each: Iterable[Said], lost: Collection[str]) -> Said:
    """What was said each time, without what names anything *lost*: a false fault is worse than a late one."""
    faults: list[Fault] | None = None
    warnings: list[Fault] = []
    for said in each:
        if faults is None:
            faults, warnings = list(said.faults), list(said.warnings)
        faults = [fault for fault in faults if fault in said.faults]
        warnings = [warning for warning in warnings if warning in said.warnings]
        if not faults and not warnings:
            break
    return Said(
        faults=[one for one in faults or () if sound(f"{one.path} {one.message}", lost)],
        warnings=[one for one in warnings if sound(f"{one.path} {one.message}", lost)],
    )


def of_settings(connector: Connector, written: MappingSettings, *, has: bool) -> Said:
    """What holds whatever the source's own options are; *has*: there is a failure destination."""
    settings, _ = effective(connector, written)
    return Said(faults=list(_faults(connector, settings)), warnings=list(_on_giving_up(settings, has=has)))


def of_opening(connector: Connector, opening: Opening) -> Said:
    """What the connector and the kinds of destination say."""
    faults = list(connector.check(opening))
    warnings = [*connector.warn(opening), *_on_key(connector, opening), *on_redaction(connector, opening)]
    for to in opening.destinations:
        faults += [outside(to, fault) for fault in to.kind.check(opening, to.options)]
        warnings += [outside(to, fault) for fault in to.kind.warn(opening, to.options)]
    for to in opening.claim_checks:
        faults += [outside(to, fault) for fault in to.kind.claims.check(opening, to.options)] if to.kind.claims else []
    return Said(faults=faults, warnings=warnings)


def outside(to: Destined, fault: Fault) -> Fault:
    """A destination's fault, from inside its block out to where that stands."""
    return replace(fault, path=".".join([to.path, *([fault.path] if fault.path else [])]))


def steps_of(path: str) -> Where:
    """The way that a whole *path* means; nothing, where it is relative to a mapping."""
    if path.partition(".")[0] not in {"destinations", "functions"}:
        return ()
    return tuple(int(word) if word.isdecimal() else word for word in path.split("."))


def _on_key(connector: Connector, opening: Opening) -> Iterator[Fault]:
    """A field that no record has gives no key, and then nothing is run once."""
    settings, view = opening.settings.idempotency, connector.view_of(opening.options)
    if settings is None or view is None:
        return
    known = sorted({view.payload, *view.keys})
    for name in sorted(fields(settings.key) - set(known)):
        meant = nearest(name, known)
        mend = f"did you mean {meant}?" if meant else f"its fields are {', '.join(known)}"
        yield Fault("idempotency.key", f"no {view.record} has a field {printable(name)}; {mend}")


def _faults(connector: Connector, settings: MappingSettings) -> Iterator[Fault]:
    if connector.traits.redelivers and settings.failure_payload == "metadata":
        yield Fault(
            "failure_payload",
            "is only for logs: what a queue gives up is deleted, and its failure record is all that is left of it; "
            "write full, or leave it out",
        )
    if settings.idempotency is not None and settings.tumbling_window_in_seconds:
        yield Fault(
            "idempotency",
            "stands beside tumbling_window_in_seconds: what a record gave to the state of its window may be lost with "
            "a process that remembered its verdict; take out one of them",
        )
    strands = 1 if connector.traits.redelivers else settings.parallelization_factor or 1
    if settings.batch_size and settings.capacity and settings.capacity < settings.batch_size * strands:
        yield Fault("capacity", "must be at least batch_size, times parallelization_factor; else no batch is ever full")


def _on_giving_up(settings: MappingSettings, *, has: bool) -> Iterator[Fault]:
    """A limit without a destination loses records, as on AWS; a destination without a limit is sent none."""
    limits = [
        name
        for name in ("maximum_retry_attempts", "maximum_record_age_in_seconds")
        if (value := getattr(settings, name)) is not None and value >= 0
    ]
    if not has:
        for name in limits:
            message = "what is past this limit is dropped: there is no destination_config.on_failure to take it"
            yield Fault(name, message)
    elif not limits:
        yield Fault(
            "destination_config.on_failure",
            "nothing is sent there while nothing is given up; set maximum_retry_attempts",
        )
