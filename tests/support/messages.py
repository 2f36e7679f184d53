"""What kinds of destination are sent, for their tests; and what they are told when they are opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.destination import Message
from headrace.observe import log
from headrace.plugins import Opening
from headrace.settings import MappingSettings
from headrace.writing import About

AT = 1764088801.123
"""2025-11-25T16:40:01.123Z."""


def message(
    name: str, body: bytes, *, key: str | None = None, lane: str = "lane", at: float = AT, **more: Any
) -> Message:
    return Message(id=name, key=key, body=body, lane=lane, at=at, **more)


def opening(**more: Any) -> Opening:
    """Of the mapping `orders` of the service `s`."""
    return Opening(
        **{
            "service": "s",
            "mapping": "orders",
            "settings": MappingSettings(),
            "options": None,
            "sections": {},
            "function_timeout": 3,
            "log": log(),
            "folder": Path(),
            **more,
        }
    )


def about(**more: Any) -> About:
    """Whose records they are, in a failure record of that mapping."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:fn"
    known = {"source": "thing", "function": "fn", "function_arn": arn, "version": "sha256:0"}
    return About(**{"service": "s", "mapping": "orders", **known, **more})
