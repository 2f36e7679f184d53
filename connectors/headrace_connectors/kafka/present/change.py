"""A change of a DynamoDB item, read from a message's value. Pure.

Two forms are read: a record as in Lambda's event, with `eventName` and `dynamodb`; and what stands in `dynamodb` alone,
of which the images say what became of the item. `Keys` must be there. Everything else is undecodable, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

NAMES: Final = ("INSERT", "MODIFY", "REMOVE")

DEEP: Final = 100
"""Brackets that a value may have without a look at how deep it nests; a table takes 32 levels."""

_VIEWS: Final[Mapping[tuple[bool, bool], str]] = {
    (False, False): "KEYS_ONLY",
    (True, False): "NEW_IMAGE",
    (False, True): "OLD_IMAGE",
    (True, True): "NEW_AND_OLD_IMAGES",
}
_BECAME: Final[Mapping[tuple[bool, bool], str]] = {
    (True, False): "INSERT",
    (True, True): "MODIFY",
    (False, True): "REMOVE",
}
"""Of whether there is a new image, and an old one."""


class UndecodableError(ValueError):
    """A value is no change of an item; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a value says: `dynamodb` has the view and the size at least; `identity` is None where there is none."""

    name: str
    dynamodb: dict[str, Any]
    identity: dict[str, Any] | None


def change(value: bytes | None) -> Change:
    """The change that *value* is.

    Raises:
        UndecodableError: it is none.
    """
    found = _object(value)
    inner = found.get("dynamodb", found)
    if not isinstance(inner, dict):
        raise UndecodableError("its dynamodb is no object")
    if not isinstance(inner.get("Keys"), dict) or not inner["Keys"]:
        raise UndecodableError("it has no Keys, which every change of an item has")
    for image in ("NewImage", "OldImage"):
        if not isinstance(inner.get(image, {}), dict):
            raise UndecodableError(f"its {image} is no object")
    images = "NewImage" in inner, "OldImage" in inner
    identity = found.get("userIdentity")
    return Change(
        name=_name(found, images),
        dynamodb={
            **inner,
            "SizeBytes": inner["SizeBytes"] if type(inner.get("SizeBytes")) is int else len(value or b""),
            "StreamViewType": _VIEWS[images] if not isinstance(view := inner.get("StreamViewType"), str) else view,
        },
        identity=identity if isinstance(identity, dict) else None,
    )


def _object(value: bytes | None) -> dict[str, Any]:
    if value is None:
        raise UndecodableError("its value is null, a tombstone; a change of an item is JSON")
    try:
        found = orjson.loads(value)
        if value.count(b"{") + value.count(b"[") > DEEP:
            orjson.dumps([[[[found]]]])  # reads deeper than it writes
    except orjson.JSONDecodeError as error:
        raise UndecodableError(f"its value is no JSON: {error}") from None
    except orjson.JSONEncodeError:
        raise UndecodableError("its value nests deeper than any item of DynamoDB") from None
    if not isinstance(found, dict):
        raise UndecodableError("its value is JSON, but no object")
    return found


def _name(found: dict[str, Any], images: tuple[bool, bool]) -> str:
    name = found.get("eventName", _BECAME.get(images))
    if name is None:
        raise UndecodableError("it has neither an eventName nor an image that would say what became of the item")
    if name not in NAMES:
        raise UndecodableError(f"its eventName is none of {', '.join(NAMES)}")
    return str(name)
