# ruff: noqa: INP001, T201 - a handler's file, as a user writes it
"""What the schedules of configs/schedules.yaml run."""

from __future__ import annotations

from typing import Any


def run(event: dict[str, Any], context: Any) -> None:
    """Say which occurrence this is."""
    print(event.get("time", ""), event.get("resources") or event, context.aws_request_id, flush=True)
