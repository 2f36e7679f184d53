"""Faults of shape and faults of several values, mixed: each is told at once, and none goes when another is mended."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace import config
from headrace.errors import ConfigError
from headrace_connectors.catalog import catalog

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ", "300"))
WINDOW = "maximum_batching_window_in_seconds"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"
BASE: dict[str, Any] = {
    "service": {"name": "shop"},
    "aws": {},
    "functions": {"record": {"handler": "shop.orders.handler"}},
    "mappings": {
        "orders": {
            "source": {"type": "sqs", "queue_url": URL, "visibility_timeout": 30, "maximum_visibility": 3600},
            "function": "record",
            "destination_config": {"on_failure": {"destination": {"type": "sqs", "queue_url": URL + "-failed"}}},
        }
    },
}
TO = "destination_config.on_failure.destination"


@dataclass(frozen=True)
class Damage:
    """*value* written at *path*. *touches* is what a fault of shape leaves in doubt, or what one of several values
    leans on."""

    path: str
    value: Any
    touches: frozenset[str]
    of_shape: bool

    @property
    def where(self) -> list[str]:
        return (
            self.path.split(".")
            if self.path.startswith(("aws.", "functions."))
            else ["mappings", "orders", *self.path.split(".")]
        )


def shape(path: str, value: Any, *touches: str) -> Damage:
    return Damage(path, value, frozenset(touches or {path.rpartition(".")[2]}), of_shape=True)


def together(path: str, value: Any, *touches: str) -> Damage:
    return Damage(path, value, frozenset({path.rpartition(".")[2], *touches}), of_shape=False)


SHAPES = [
    shape("enabled", 1),
    shape("zzz", 1),
    shape("batch_size", 0),
    shape("batch_sise", 500, "batch_size"),
    shape(WINDOW, "5"),
    shape("MaximumBatchingWindowInSeconds", 5, WINDOW),
    shape(f"source.{WINDOW}", 5),
    shape("capacity", []),
    shape("scaling_config", {"maximum": 5}),
    shape("retry_backoff", {"initial": 9, "maximum": 1, "zzz": 1}),
    shape("function_response_types", ["Report"]),
    shape("maximum_retry_attempts", "x"),
    shape("failure_payload", "all"),
    shape("source.visibility_timeout", "60"),
    shape("source.maximum_visibilty", 90, "maximum_visibility"),
    shape("source.unwrap", ["sms"]),
    shape("source.zzz", {}),
    shape("source.region", 5, "region", "destination"),
    shape(f"{TO}.queue_url", "nowhere", "destination"),
    shape(f"{TO}.regoin", "x", "region", "destination"),
    shape(f"{TO}.zzz", "x"),
    shape("aws.zzz", 1),
    shape("aws.regoin", "x", "aws.region"),
    shape("functions.record.timeout", "x"),
]
TOGETHERS = [
    together("batch_size", 11, WINDOW),
    together("capacity", 5, "batch_size"),
    together("failure_payload", "metadata"),
    together("source.visibility_timeout", 40000, "maximum_visibility"),
    together("source.maximum_visibility", 20, "visibility_timeout"),
    together("source.one_group_per_batch", True),
    together(f"{TO}.queue_url", URL, "destination"),
]


def damaged(damages: Iterable[Damage]) -> dict[str, Any]:
    tree = copy.deepcopy(BASE)
    for damage in damages:
        holder = tree
        for step in damage.where[:-1]:
            holder = holder[step]
        holder[damage.where[-1]] = damage.value
    return tree


def told(damages: Iterable[Damage]) -> set[tuple[str, str]]:
    """Path and message of every fault."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.yaml"
        path.write_text(yaml.safe_dump(damaged(damages)))
        try:
            config.load([path], catalog, {})
        except ConfigError as refused:
            return {(fault.path, fault.message) for fault in refused.faults}
    return set()


def of(damage: Damage, faults: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    where = ".".join(damage.where)
    return {fault for fault in faults if f"{fault[0]}.".startswith((f"{where}.", f"{where}["))}


def leans(one: Damage, on: Collection[Damage]) -> bool:
    return any(one.touches & other.touches or one.path == other.path for other in on)


@pytest.mark.parametrize("values", TOGETHERS, ids=lambda one: f"{one.path}={one.value}")
@pytest.mark.parametrize("fault", SHAPES, ids=lambda one: one.path)
def test_two_faults_are_told_as_each_alone_tells_them(fault: Damage, values: Damage) -> None:
    """Mutations: several values looked at only when all are right; a default taken for a lost value."""
    if fault.path == values.path:
        return
    alone, both = (told([fault]), told([values])), told([fault, values])
    assert all(alone)
    if leans(values, [fault]):
        assert alone[0] <= both <= alone[0] | alone[1]
    else:
        assert both == alone[0] | alone[1]


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(damages=st.lists(st.sampled_from([*SHAPES, *TOGETHERS]), min_size=2, max_size=6, unique_by=lambda one: one.path))
def test_mending_a_fault_takes_no_other_away_and_shows_only_what_leaned_on_it(damages: list[Damage]) -> None:
    found = told(damages)
    for mended in (one for one in damages if one.of_shape):
        rest = [one for one in damages if one is not mended]
        left = told(rest)
        assert found - of(mended, found) <= left
        for path, message in left - found:
            (source,) = [one for one in rest if of(one, [(path, message)])] or [None]
            assert source is None or leans(source, [mended]), (mended.path, path, message)
