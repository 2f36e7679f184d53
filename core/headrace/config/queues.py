"""The queue of a function: what its `event_invoke_config` and `dead_letter_config` mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from headrace.asynchronous import NoOptions, invocations, queue_of
from headrace.config.configured import MappingConfig
from headrace.config.destined import Target
from headrace.config.effective import effective
from headrace.config.places import Where, child, dotted, stands
from headrace.config.routes import Routes, Written
from headrace.config.wording import Validator
from headrace.functionsettings import EventInvokeConfig, FunctionSettings
from headrace.plugins import Connector, Destined, Routing
from headrace.settings import MappingSettings

INVOKING: Final = "event_invoke_config"
DEAD: Final = ("dead_letter_config", "target_arn")

_LIMITS: Final = {
    "maximum_retry_attempts": "maximum_retry_attempts",
    "maximum_event_age_in_seconds": "maximum_record_age_in_seconds",
    "retry_backoff": "retry_backoff",
    "redact": "redact",
}
"""What a function says of its queue, and what a mapping calls it."""


@dataclass(frozen=True, slots=True)
class Queue:
    """How asynchronous invocations of a function are made; with faults of its own it has no destinations."""

    settings: EventInvokeConfig = field(default_factory=EventInvokeConfig)
    on_failure: Routing | None = None
    on_success: Routing | None = None
    dead_letter: Destined | None = None

    def of(self, connector: Connector) -> Connector:
        """*connector*, which invokes the function asynchronously, with the function's limits as its defaults."""
        limits = {name: getattr(self.settings, own) for own, name in _LIMITS.items()}
        given = {name: value for name, value in limits.items() if value is not None}
        return replace(connector, defaults={**connector.defaults, **given})

    def elsewhere(self, function: str) -> Mapping[str, str]:
        """Where those of its limits stand that are written: with *function*, whose queue it is."""
        written = self.settings.model_fields_set & _LIMITS.keys()
        return {_LIMITS[own]: dotted(("functions", function, INVOKING, own)) for own in written}


def queue_of_function(
    validator: Validator, routes: Routes, name: str, function: FunctionSettings | None, value: Any
) -> Queue | None:
    """What is written for the function *name*, with its faults told; None where it has neither."""
    where = ("functions", name)
    invoking = child(value, INVOKING)
    has_letters = stands(value, DEAD)
    if not isinstance(invoking, dict) and not has_letters:
        return None
    ends: Mapping[str, Written | None] = routes.config(invoking, (*where, INVOKING), ".".join([*where, INVOKING]))
    dead = child(child(value, DEAD[0]), DEAD[1])
    target = _dead(validator, routes, dead, (*where, *DEAD)) if has_letters else None
    on_failure, on_success = (end.whole if end else None for end in ends.values())
    settings = function.event_invoke_config if function else None
    return Queue(settings or EventInvokeConfig(), on_failure, on_success, target.whole if target else None)


def queue_mapping(function: str, queue: Queue, folder: Path, section_folders: Mapping[str, Path]) -> MappingConfig:
    """The queue of *function* as a mapping."""
    settings, origin = effective(queue.of(invocations), MappingSettings())
    return MappingConfig(
        name=queue_of(function),
        connector=invocations,
        options=NoOptions(),
        function=function,
        settings=settings,
        origin=origin,
        folder=folder,
        section_folders=section_folders,
        on_failure=queue.on_failure,
        on_success=queue.on_success,
        dead_letter=queue.dead_letter,
    )


def _dead(validator: Validator, routes: Routes, written: Any, where: Where) -> Target | None:
    if isinstance(written, list):
        validator.fault(where, "is one queue or topic: its ARN, or {type: …}")
        return None
    (target,) = routes.several(written, where, ".".join(map(str, where)))
    if target is not None and not target.kind.attributes:
        validator.fault(
            where, f"a dead letter has attributes, for which a {target.kind.type} has no place; name a queue"
        )
    return target


def targets(routings: Iterable[Routing | None]) -> set[str]:
    """The functions that are told of something."""
    routes = [route for routing in routings if routing for route in routing.routes]
    return {to.options.function for route in routes for to in route.to if to.kind.type == "function"}
