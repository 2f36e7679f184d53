"""Settings of a config that have no meaning on the testbed: what they are, and what holds instead. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from headrace.config import Config, MappingConfig
from headrace_connectors.kafka.connecting import SECTION, KafkaSettings
from headrace_connectors.testbed.originals import PRESENTED

_HONOURED: Final[Mapping[str, frozenset[str]]] = {
    "sqs": frozenset({"queue_url", "visibility_timeout", "region"}),
    "kinesis": frozenset({"stream", "region"}),
    "dynamodb": frozenset({"table", "stream_arn", "region"}),
    "kafka": frozenset({"on_trimmed", "partition_assignment_strategy", "present_as", "event_source_arn", "client"}),
}
"""Of the source block, by its type; what else stands there is not."""

_WHY: Final[Mapping[str, str]] = {
    "topics": "the topic is the testbed's",
    "consumer_group_id": "the group is the testbed's, so that it can live beside the real one",
    "session_timeout_ms": "6 s, so that a copy that was killed is followed soon",
    "unwrap": "what is sent is the message as the handler gets it: no envelope is taken off",
    "one_group_per_batch": "a batch may hold messages of several groups",
    "maximum_visibility": "a record that is at a handler is not given out again, however long that takes",
    "consumer": "there is no enhanced fan-out: the topic is read",
    "deaggregate": "what is sent is one record: no aggregate is taken apart",
    "on_trimmed": "nothing is trimmed while the testbed lives",
}
_NO_AWS: Final = "nothing is asked of AWS"
_NO_CLUSTER: Final = "the cluster is the testbed's"


@dataclass(frozen=True, slots=True)
class Setting:
    """What was written, and what becomes of it."""

    path: str
    why: str


def meaningless(config: Config) -> list[Setting]:
    """All that was written in vain for the testbed, in the config's order."""
    found = list(_of_service(config))
    for name, one in config.mappings.items():
        found += [Setting(f"mappings.{name}.{path}", why) for path, why in _of_mapping(one)]
    return found


def _of_service(config: Config) -> Iterator[Setting]:
    if config.service.state is not None and config.state != "memory:":
        yield Setting("service.state", "a ledger of the same kind, and the testbed's own")
    for name, section in config.sections.items():
        for key in sorted(section.model_fields_set):
            if getattr(section, key) is not None and key != "region":
                yield Setting(f"{name}.{key}", _NO_CLUSTER if name == SECTION else _NO_AWS)


def _of_mapping(one: MappingConfig) -> Iterator[tuple[str, str]]:
    if one.connector.type not in PRESENTED:
        return
    honoured = _HONOURED[one.connector.type]
    for key in sorted(one.options.model_fields_set - honoured):
        if getattr(one.options, key) is not None:
            yield f"source.{key}", _WHY.get(key) or _otherwise(key)
    settings = one.settings
    if settings.starting_position not in {None, "TRIM_HORIZON"}:
        yield "starting_position", "the topic is the testbed's, and read from its beginning"
    if settings.on_missing_positions == "fail":
        yield "on_missing_positions", "the group keeps the positions, and begins with the testbed"
    if settings.tumbling_window_in_seconds:
        yield "tumbling_window_in_seconds", "a window's state has no place beside a Kafka offset: there are no windows"


def _otherwise(key: str) -> str:
    return _NO_CLUSTER if key in KafkaSettings.model_fields else _NO_AWS
