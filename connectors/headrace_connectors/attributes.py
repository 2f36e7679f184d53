"""What goes beside a message's body, as attributes of SQS and SNS and as headers elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from headrace.destination import Message

HOPS: Final = "headrace-hops"
"""How many functions a message's content has come through; where none has counted yet, and beside a bare event, it is
not there."""

_DIGITS: Final = 6

_NUMBERS: Final = frozenset({"ErrorCode", HOPS})
_UNSENDABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS takes in no text (SendMessage: the characters of XML 1.0). In a body JSON has escaped it."""


def counted(value: str | bytes | None) -> int:
    """The hops that *value* says; none where it is no count, which anybody may have written."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value or ""
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0


def texts(message: Message) -> dict[str, str]:
    """All of them by name, each one in text; empty ones are left out, for AWS refuses them."""
    hops = {HOPS: str(message.hops)} if message.hops and not message.bare else {}
    return {name: value for name, value in {**message.attributes, **hops}.items() if value}


def attributes(message: Message) -> dict[str, dict[str, str]]:
    """As SQS and SNS take them."""
    return {
        name: {"DataType": _type(name), "StringValue": _UNSENDABLE.sub("\ufffd", value)}
        for name, value in texts(message).items()
    }


def entry_of(message: Message) -> Mapping[str, object]:
    """The part of a batch's entry that has them; empty where there are none."""
    found = attributes(message)
    return {"MessageAttributes": found} if found else {}


def weight(message: Message) -> int:
    """Bytes that SQS and SNS count: the body, and each attribute's name, type and value."""
    beside = attributes(message).items()
    return len(message.body) + sum(
        len(name) + len(one["DataType"]) + len(one["StringValue"].encode(errors="replace")) for name, one in beside
    )


def _type(name: str) -> str:
    return "Number" if name in _NUMBERS else "String"
