"""A Kafka message, as whichever client hands it over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Message(Protocol):
    """What is read of a message. The names are kafka-python's, whose ConsumerRecord is one as it is.

    Attributes:
        timestamp: in milliseconds; -1, or None in Kafka's oldest formats, where there is none.
        timestamp_type: 0 where the producer set it, 1 where the broker did; -1 or None where there is none.
        headers: in their order; a name may come twice.
    """

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int | None: ...

    @property
    def timestamp_type(self) -> int | None: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class PlainMessage(NamedTuple):
    """A message of a client whose own is not one; its fields are `Message`'s."""

    topic: str
    partition: int
    offset: int
    timestamp: int | None
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
