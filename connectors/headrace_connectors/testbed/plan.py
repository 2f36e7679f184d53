"""What the testbed makes of a config: every source a topic in the source's own shape, every destination a topic. Pure.

All else is kept as it was written; what has no meaning here is told by `meaningless.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from headrace.asynchronous import invocations
from headrace.config import Config, MappingConfig
from headrace.errors import ConfigError, Fault
from headrace.late import Late
from headrace.plugins import Connector, Destined, Routing
from headrace.settings import MappingSettings
from headrace.tofunction import function as to_function
from headrace_connectors.destinations.kafka import KafkaDestinationOptions
from headrace_connectors.destinations.kafka import kafka as to_kafka
from headrace_connectors.kafka.connecting import SECTION, KafkaSettings
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.queue.lane import FIFO_TRAITS, TRAITS
from headrace_connectors.kafka.queue.options import KafkaQueueOptions
from headrace_connectors.kafka.registration import kafka
from headrace_connectors.testbed.originals import PRESENTED, Presented, presented

AS_THEY_ARE: Final = frozenset({"schedule", invocations.type})
"""Sources that are nowhere but in the process: they run as they do elsewhere."""

VISIBILITY: Final = 30
MAX_RECEIVE_COUNT: Final = 5
"""Of queues, whose attributes no config has: SQS's own default, and what AWS advises at least."""

OPEN_QUEUE: Final = Late("headrace_connectors.kafka.queue.opening:open_queue")

SESSION_MS: Final = 6000
"""A copy that was killed is followed by the next within so many milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The topics of one mapping; None where it has none of a kind."""

    main: str
    retry: str | None
    on_failure: str | None
    on_success: str | None = None

    def all(self) -> list[str]:
        every = (self.main, self.retry, self.on_failure, self.on_success)
        return [topic for topic in every if topic is not None]

    def read(self) -> list[str]:
        """Those that the mapping reads."""
        return [topic for topic in (self.main, self.retry) if topic is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the testbed is to be. `cluster`: with whole paths; `state`: of the ledger; the rest is of queues."""

    cluster: KafkaSettings
    state: str
    visibility_timeout: float = VISIBILITY
    max_receive_count: int = MAX_RECEIVE_COUNT


def topics_of(config: Config) -> dict[str, Topics]:
    """Of every mapping that is presented.

    Raises:
        ConfigError: a source is of a kind that cannot be.
    """
    found, faults = {}, []
    for name, one in config.mappings.items():
        kind = one.connector.type
        if kind in PRESENTED:
            queue = presented(config, one)
            found[name] = Topics(
                main=f"testbed.{name}",
                retry=f"testbed.{name}.retry" if queue.queue and not queue.fifo else None,
                on_failure=_told(name, "on_failure") if queue.queue or one.on_failure else None,
                on_success=_told(name, "on_success") if _leaves(one.on_success) else None,
            )
        elif kind not in AS_THEY_ARE:
            path = f"mappings.{name}.source.type"
            message = f"the testbed cannot stand for a source of type {kind}, only for {', '.join(PRESENTED)}"
            faults.append(Fault(path, message, config.places.place(tuple(path.split(".")))))
    if faults:
        raise ConfigError(faults)
    return found


def told_of(config: Config) -> list[str]:
    """The topics of what those tell of that run as they are: schedules, and the queues of functions."""
    return [
        _told(name, end)
        for name, one in config.all.items()
        if one.connector.type in AS_THEY_ARE
        for end, told in (
            ("on_failure", _leaves(one.on_failure)),
            ("on_success", _leaves(one.on_success)),
            ("dead_letter", one.dead_letter is not None),
        )
        if told
    ]


def _told(mapping: str, end: str) -> str:
    """A topic; a function's queue has a colon in its name, and topics have none."""
    return f"testbed.{mapping.replace(':', '.')}.{end}"


def _leaves(routing: Routing | None) -> bool:
    """Whether anything is told to what is outside of the config."""
    routes = routing.routes if routing else ()
    return any(to.kind is not to_function for route in routes for to in route.to)


def group_of(config: Config, mapping: str) -> str:
    """Its consumer group: not the one that it has elsewhere, which may live in the same cluster."""
    return f"testbed.{config.service.name}.{mapping}"


def changed(config: Config, wanted: Wanted) -> Config:
    """*config* on the testbed.

    Raises:
        ConfigError: as `topics_of`.
    """
    topics = topics_of(config)
    mappings = {
        name: _mapping(config, one, topics[name], wanted) if name in topics else _with_its_source(one)
        for name, one in config.mappings.items()
    }
    return replace(
        config,
        service=config.service.model_copy(update={"state": wanted.state}),
        mappings=mappings,
        queues={name: _with_its_source(one) for name, one in config.queues.items()},
        sections={**config.sections, SECTION: wanted.cluster},
    )


def _mapping(config: Config, one: MappingConfig, topics: Topics, wanted: Wanted) -> MappingConfig:
    shown = presented(config, one)
    update: dict[str, Any] = {"starting_position": "TRIM_HORIZON", "starting_position_timestamp": None}
    update["on_missing_positions"] = None
    update |= _of_queue(one.settings, wanted) if shown.queue else {"tumbling_window_in_seconds": 0}
    connector = _connector(shown)
    return replace(
        one,
        connector=connector,
        options=_options(config, one, shown, topics, wanted),
        settings=one.settings.model_copy(update=update),
        on_failure=_to(one.on_failure or Routing.to(), topics.on_failure),
        on_success=_to(one.on_success, topics.on_success),
    )


def _of_queue(settings: MappingSettings, wanted: Wanted) -> Mapping[str, object]:
    """What a queue's redrive policy does on AWS, the limit of attempts does here; a lower one of its own goes first."""
    own, most = settings.maximum_retry_attempts, wanted.max_receive_count - 1
    return {"maximum_retry_attempts": most if own is None or own < 0 else min(own, most)}


def _connector(shown: Presented) -> Connector:
    if not shown.queue:
        return kafka
    traits = FIFO_TRAITS if shown.fifo else TRAITS
    return replace(kafka, options=KafkaQueueOptions, traits=traits, open=OPEN_QUEUE, defaults={}, refuses={})


def _options(config: Config, one: MappingConfig, shown: Presented, topics: Topics, wanted: Wanted) -> KafkaOptions:
    common: dict[str, Any] = {
        "topics": topics.read(),
        "consumer_group_id": group_of(config, one.name),
        "session_timeout_ms": SESSION_MS,
    }
    if isinstance(one.options, KafkaOptions):
        nowhere = dict.fromkeys(one.options.given())  # the cluster is the testbed's
        return one.options.model_copy(update={**nowhere, "group_instance_id": None, **common})
    common |= {"present_as": shown.shape, "event_source_arn": shown.arn}
    if not shown.queue:
        return KafkaOptions(**common)
    visibility = wanted.visibility_timeout if shown.visibility_timeout is None else shown.visibility_timeout
    return KafkaQueueOptions(**common, retry_topic=topics.retry, visibility_timeout=visibility)


def _to(routing: Routing | None, topic: str | None) -> Routing | None:
    """*routing* with the topic for all that is outside of the config."""
    if routing is None:
        return None
    outside = [] if topic is None else [_topic(topic)]
    routes = []
    for route in routing.routes:
        inside = [to for to in route.to if to.kind is to_function]
        if told := inside + (outside if len(inside) < len(route.to) or not route.to else []):
            routes.append(replace(route, to=told))
    return Routing(routes) if routes else None


def _topic(name: str) -> Destined:
    return Destined(kind=to_kafka, options=KafkaDestinationOptions(topic=name), path=name)


def _with_its_source(one: MappingConfig) -> MappingConfig:
    """A source as it is; what it tells goes to topics all the same."""
    return replace(
        one,
        on_failure=_to(one.on_failure, _told(one.name, "on_failure")),
        on_success=_to(one.on_success, _told(one.name, "on_success")),
        dead_letter=_topic(_told(one.name, "dead_letter")) if one.dead_letter else None,
    )
