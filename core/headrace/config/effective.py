"""Which values hold for a mapping: what was written, else the source's default, else the general one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from headrace.plugins import Connector
from headrace.settings import LEAST_CAPACITY, MOST_CAPACITY, MappingSettings, ScalingConfig

_BATCH_SIZE: Final = 10
_BATCHES_HELD: Final = 10

NOWHERE: Final[Mapping[str, str]] = MappingProxyType({})


def effective(
    connector: Connector, written: MappingSettings, elsewhere: Mapping[str, str] = NOWHERE
) -> tuple[MappingSettings, dict[str, str]]:
    """The settings with no default left open, and the origin of each: `file`, `default`, `default of sqs`.

    *elsewhere* says of the connector's defaults that somebody has written them, and where.

    Null counts as not written. A setting that the source refuses stays None.
    """
    values = {name: getattr(written, name) for name in MappingSettings.model_fields}
    origin = {
        name: "file" if name in written.model_fields_set and value is not None else "default"
        for name, value in values.items()
    }
    for name, value in connector.defaults.items():
        if origin[name] == "default" and name not in connector.refuses:
            values[name] = value
            origin[name] = elsewhere.get(name, f"default of {connector.type}")
    for name, value in _general(connector, values):
        if values[name] is None and name not in connector.refuses:
            values[name] = value
    known = {name for name, value in values.items() if value is not None}
    return MappingSettings.model_validate({name: values[name] for name in known}), origin


def _general(connector: Connector, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "batch_size", _BATCH_SIZE
    yield "maximum_batching_window_in_seconds", 0
    if connector.traits.redelivers:
        yield "scaling_config", ScalingConfig()
        yield "failure_payload", "full"
        places = (values["scaling_config"] or ScalingConfig()).maximum_concurrency
    else:
        yield "failure_payload", "metadata"
        places = values["parallelization_factor"] or 1
    batch_size = values["batch_size"] or _BATCH_SIZE
    yield "capacity", min(MOST_CAPACITY, max(LEAST_CAPACITY, _BATCHES_HELD * batch_size, places * batch_size))
