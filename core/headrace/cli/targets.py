"""A place in a log as an operator writes it: an end, a time, or the number of a record."""

from __future__ import annotations

from typing import Final

from headrace.errors import ConfigError, Fault
from headrace.seeking import At, Edge, Sequence, Target
from headrace.times import unix

LONGEST_TIME: Final = 13
"""Digits of a time; a number with more is a sequence number."""


def read_target(text: str, shard: str | None, *, offsets: bool, option: str, one_of_two: bool = False) -> Target:
    """What *text* means, which was given with *option*; it is named in a fault where it is *one_of_two* there.

    *offsets*: a number beside a shard is an offset, however short.

    Raises:
        ConfigError: it means nothing.
    """
    if text in Edge.__members__:
        return Edge[text]
    if text.isdecimal() and (len(text) > LONGEST_TIME or (offsets and shard is not None)):
        if shard is None:
            raise ConfigError([Fault(option, "a sequence number is of one shard: name it with --shard")])
        return Sequence(text)
    try:
        return At(unix(text))
    except ValueError:
        why = "must be TRIM_HORIZON, LATEST, a time (Unix seconds or ISO 8601) or a sequence number"
        raise ConfigError([Fault(option, f"{text!r} {why}" if one_of_two else why)]) from None
