"""KPL aggregates: one Kinesis record that carries many user records, taken apart as the KCL does. Pure.

An aggregate is a magic number, a protobuf message (proto2) and the MD5 of that message:

    AggregatedRecord: 1 repeated string partition_key_table, 2 repeated string explicit_hash_key_table,
                      3 repeated Record records
    Record:           1 required uint64 partition_key_index, 2 optional uint64 explicit_hash_key_index,
                      3 required bytes data, 4 repeated Tag tags (unused)

(Its published description is aggregation-format.md of awslabs/amazon-kinesis-producer.) What is no such message to the
letter is no aggregate: then the record is delivered as it is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

MAGIC: Final = b"\xf3\x89\x9a\xc2"
MAGIC_TEXT: Final = "84maw"
"""How `MAGIC` begins in base64, whatever follows it: most records are told from an aggregate without decoding."""
DIGEST_BYTES: Final = 16

HashRange: TypeAlias = tuple[int, int]
"""The first and the last hash key of a shard."""

_HASH_KEYS: Final = 2**128
_PARTITION_KEY, _HASH_KEY, _DATA = 1, 2, 3
_TYPES: Final = {_PARTITION_KEY: int, _HASH_KEY: int, _DATA: bytes}
"""Of a record's fields, by number; one of another type is an unknown field."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One of the records that an aggregate carries."""

    partition_key: str
    explicit_hash_key: str | None
    data: bytes

    @property
    def hash_key(self) -> int:
        """What places it on a shard: its explicit hash key, else the MD5 of its partition key."""
        if self.explicit_hash_key is not None:
            return int(self.explicit_hash_key)
        return int.from_bytes(_md5(self.partition_key.encode()))


class _InvalidError(Exception):
    """The bytes are no such message."""


def expand(raw: dict[str, Any], hash_range: HashRange | None) -> list[dict[str, Any]] | None:
    """The user records of *raw*, a record of a Kinesis answer, in order; None when it is no aggregate. Never raises.

    Each is *raw* with a partition key and data of its own; sequence number and arrival time are shared. Data is base64
    text where *raw* has that, and bytes where it has those.

    An empty list: a user record's hash key lies outside *hash_range*, so the whole aggregate belongs to other shards.
    It was sent while a shard was split or merged; the KPL sees where it went, and sends what it carried again.
    """
    data = raw["Data"]
    found = decode(_as_bytes(data))
    if found is None:
        return None
    if hash_range is not None:
        low, high = hash_range
        if not all(low <= one.hash_key <= high for one in found):
            return []
    text = isinstance(data, str)
    return [
        {
            **raw,
            "PartitionKey": one.partition_key,
            "Data": base64.b64encode(one.data).decode() if text else one.data,
        }
        for one in found
    ]


def decode(data: bytes) -> list[UserRecord] | None:
    """The user records that *data* carries, at least one; None when it is no valid aggregate. Never raises."""
    message, digest = data[len(MAGIC) : -DIGEST_BYTES], data[-DIGEST_BYTES:]
    if not data.startswith(MAGIC) or _md5(message) != digest:
        return None
    try:
        return _read_aggregate(message) or None
    except _InvalidError:
        return None


def _as_bytes(data: str | bytes) -> bytes:
    """The bytes of a record's data, as far as they could be an aggregate's: of other base64 text, none."""
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data) if data.startswith(MAGIC_TEXT) else b""
    except ValueError:
        return b""


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _read_aggregate(message: bytes) -> list[UserRecord]:
    partition_keys: list[str] = []
    hash_keys: list[str] = []
    records: list[dict[int, Any]] = []
    for number, value in _fields(message):
        match number, value:
            case 1, bytes():
                partition_keys.append(_text(value))
            case 2, bytes():
                hash_keys.append(_hash_key(value))
            case 3, bytes():
                records.append({one: found for one, found in _fields(value) if isinstance(found, _TYPES.get(one, ()))})
    return [_read_record(fields, partition_keys, hash_keys) for fields in records]


def _read_record(fields: dict[int, Any], partition_keys: Sequence[str], hash_keys: Sequence[str]) -> UserRecord:
    """Tables may come behind the records that point into them, so this is done last."""
    try:
        explicit = hash_keys[fields[_HASH_KEY]] if _HASH_KEY in fields else None
        return UserRecord(partition_keys[fields[_PARTITION_KEY]], explicit, fields[_DATA])
    except (KeyError, IndexError):  # a required field is missing, or an index is past its table
        raise _InvalidError from None


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _InvalidError from None


def _hash_key(value: bytes) -> str:
    """An explicit hash key: a decimal number of 128 bits."""
    digits = _text(value)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(_HASH_KEYS)) and int(digits) < _HASH_KEYS):
        raise _InvalidError
    return digits


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes | None]]:
    """The fields of a message: number, and value where it is a varint or bytes. A field may come more than once."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: int | bytes | None = None
        match tag & 7:
            case 0:
                value, end = _varint(message, at)
            case 1:
                end = at + 8
            case 2:
                length, at = _varint(message, at)
                end = at + length
                value = message[at:end]
            case 5:
                end = at + 4
            case _:  # groups, which proto2 gave up long ago, and wire types that do not exist
                raise _InvalidError
        if end > len(message) or not tag >> 3:
            raise _InvalidError
        yield tag >> 3, value
        at = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of at most ten bytes, of which 64 bits count, and where it ends."""
    value = 0
    for index, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no continuation bit
            return value % 2**64, at + index + 1
    raise _InvalidError
