"""An encoder of KPL aggregates, written from the wire format: for tests, also of what no producer would send."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

MAGIC = bytes.fromhex("f3899ac2")


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    """A field: a number as varint, bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sealed(message: bytes) -> bytes:
    """*message* between magic number and digest."""
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def user_record(partition_key: int, data: bytes, hash_key: int | None = None) -> bytes:
    explicit = b"" if hash_key is None else field(2, hash_key)
    return field(1, partition_key) + explicit + field(3, data)


def message_of(partition_keys: Iterable[str], hash_keys: Iterable[str], user_records: Iterable[bytes]) -> bytes:
    tables = b"".join(field(1, key.encode()) for key in partition_keys)
    tables += b"".join(field(2, key.encode()) for key in hash_keys)
    return tables + b"".join(field(3, one) for one in user_records)


def aggregate(users: Sequence[tuple[str, str | None, bytes]]) -> bytes:
    """The aggregate of user records given as (partition key, explicit hash key, data); equal keys share a table row."""
    partition_keys = list(dict.fromkeys(key for key, _, _ in users))
    hash_keys = list(dict.fromkeys(key for _, key, _ in users if key is not None))
    inner = [
        user_record(partition_keys.index(key), data, None if explicit is None else hash_keys.index(explicit))
        for key, explicit, data in users
    ]
    return sealed(message_of(partition_keys, hash_keys, inner))
