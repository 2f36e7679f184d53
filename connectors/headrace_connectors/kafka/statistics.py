"""What librdkafka's statistics say of its connections: whether there is one, and when the coordinator last answered."""

from __future__ import annotations

from typing import Final, NamedTuple

import orjson

WAITS: Final = frozenset({"wait-join", "wait-sync"})
"""States in which the coordinator counts a member in that waits for the others, and says nothing."""

COORDINATOR: Final = "GroupCoordinator"
"""The connection for what a group asks of it, and for nothing else."""


class Statistics(NamedTuple):
    """`silence`: seconds since an answer of the coordinator, None where this connection has had none."""

    reached: bool
    silence: float | None


def of(text: str) -> Statistics:
    said = orjson.loads(text)
    brokers = said.get("brokers", {})
    idle = brokers.get(COORDINATOR, {}).get("rxidle", -1)
    waits = said.get("cgrp", {}).get("join_state") in WAITS
    return Statistics(
        reached=any(one.get("state") == "UP" for one in brokers.values()),
        silence=0.0 if waits else idle / 1e6 if idle >= 0 else None,
    )
