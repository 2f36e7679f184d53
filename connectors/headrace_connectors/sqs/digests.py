"""The digests that SQS gives with a message, for one that was changed here. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any


def of_body(body: str) -> str:
    """MD5OfBody."""
    return _md5(body.encode())


def of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """MD5OfMessageAttributes: name, type and value of each, by name, as SQS documents the calculation."""
    return _md5(b"".join([_attribute(name, attributes[name]) for name in sorted(attributes)]))


def _attribute(name: str, attribute: Mapping[str, Any]) -> bytes:
    if "BinaryValue" in attribute:
        value = attribute["BinaryValue"]  # text where SQS's own JSON was read, bytes where botocore has read it
        kind, content = b"\x02", value if isinstance(value, bytes) else base64.b64decode(value)
    else:
        kind, content = b"\x01", attribute.get("StringValue", "").encode()
    return _counted(name.encode()) + _counted(attribute["DataType"].encode()) + kind + _counted(content)


def _counted(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
