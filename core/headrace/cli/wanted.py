"""What a replay was asked for, as values: which letters, how they are mended, how many, how fast."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Collection
from typing import Any

from headrace.cli import common
from headrace.config import Config
from headrace.config.places import printable
from headrace.errors import ConfigError, Fault
from headrace.filters import Pattern, compile_pattern, faults
from headrace.replaying.editing import Edit, compiled
from headrace.replaying.replay import Limits
from headrace.replaying.selection import CLASSES, Selection
from headrace.times import unix


def gathered(**parts: Callable[[], Any]) -> dict[str, Any]:
    """What each of *parts* makes.

    Raises:
        ConfigError: with the faults of them all.
    """
    made: dict[str, Any] = {}
    found: list[Fault] = []
    for name, make in parts.items():
        try:
            made[name] = make()
        except ConfigError as error:
            found += error.faults
    if found:
        raise ConfigError(found)
    return made


def selection(arguments: argparse.Namespace, config: Config) -> Selection:
    """Raises ConfigError."""
    found = gathered(
        classes=lambda: [common.one_of("class of failure", one, CLASSES) for one in arguments.classes],
        since=lambda: None if arguments.since is None else _moment(arguments.since),
        patterns=lambda: [_pattern(one) for one in arguments.filter],
    )
    return Selection(
        service=arguments.service or config.service.name,
        mapping=arguments.mapping or "",
        invoked=_invoked(arguments, config),
        functions=config.functions,
        **found,
    )


def _invoked(arguments: argparse.Namespace, config: Config) -> Collection[str] | None:
    """Whose invocations are meant: the function's that is named, and those that the mapping makes, if it makes any."""
    mapping = config.mappings.get(arguments.mapping)
    made = {mapping.function} if mapping is not None and mapping.connector.asynchronous else set()
    named = {arguments.function} if arguments.function else set()
    return made | named if arguments.mapping or arguments.function else None


def _pattern(text: str) -> Pattern:
    if found := [Fault("--filter", printable(f"{one.place}: {one}")) for one in faults(text)]:
        raise ConfigError(found)
    return compile_pattern(text)


def _moment(text: str) -> float:
    try:
        return unix(text)
    except ValueError as error:
        raise ConfigError([Fault("--since", str(error))]) from None


def edit(expression: str | None) -> Edit | None:
    """Raises ConfigError."""
    if expression is None:
        return None
    try:
        return compiled(expression)
    except ValueError as error:
        raise ConfigError([Fault("--edit", printable(" ".join(str(error).split())))]) from None


def limits(arguments: argparse.Namespace) -> Limits:
    """Raises ConfigError."""
    return Limits(**gathered(most=lambda: _most(arguments.max), rate=lambda: _rate(arguments.rate)))


def _most(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text, re.ASCII):
        raise ConfigError([Fault("--max", f"must be a whole number of records, 1 or more, not {printable(text)}")])
    return int(text)


def _rate(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/([smh]))?", text, re.ASCII)
    rate = float(found[1]) / {"s": 1, "m": 60, "h": 3600}[found[2] or "s"] if found else 0.0
    if not 0 < rate < math.inf:
        raise ConfigError([Fault("--rate", f"must be N/s, N/m or N/h, above 0, not {printable(text)}")])
    return rate
