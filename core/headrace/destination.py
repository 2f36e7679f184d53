"""Where what was given up goes: the words between the engine and the kinds of destination."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, Protocol

PATIENCE = 10.0
"""Seconds that one call of a destination's server may take. A stop waits for it, so it is well below a drain's 30."""


SUCCESS = "Success"
"""The condition of a record that tells of an invocation which succeeded."""


MOST_HOPS = 16
"""Functions that content may come through by way of destinations: as Lambda's recursive loop detection counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message for a destination.

    Attributes:
        id: what it is about; the same whenever it is sent again, so that a destination can tell a repeat.
        key: what orders it among others, where its source orders by key.
        body: JSON in UTF-8, without a line break; when it is sent again, the same byte for byte.
        lane: whose records it is about: a queue's name, a shard's id, a topic and partition.
        at: when they were given up, or succeeded, in Unix seconds.
        source_key: of a single record, its key in bytes, where its source has keys of bytes.
        condition: why it is sent, in the words of its body: `SUCCESS`, or what it was given up for.
        function: the name of the function that had them.
        function_arn: of that function, with its version, as asynchronous invocations have it.
        asynchronous: it is about an asynchronous invocation.
        attributes: what goes beside the body, where the destination has a place for it: a dead letter's RequestID,
            ErrorCode and ErrorMessage.
        hops: how many functions its content has come through by way of destinations, this one included.
        bare: it is an event as Lambda sends it: among what goes beside it there is nothing of ours, the hops neither.
    """

    id: str
    key: str | None
    body: bytes
    lane: str
    at: float
    source_key: bytes | None = None
    condition: str = ""
    function: str = ""
    function_arn: str = ""
    asynchronous: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    hops: int = 0
    bare: bool = False


class FailureClass(StrEnum):
    """One of each that is given up."""

    HANDLER_ERROR = "handler_error"
    """The handler raised, ended its process, or named the record as failed."""
    TIMEOUT = "timeout"
    BAD_ANSWER = "bad_answer"
    """What it returned cannot be read as an answer."""
    EXPIRED = "expired"
    TOO_LARGE = "too_large"
    """What it returned is larger than Lambda allows."""
    UNDECODABLE = "undecodable"
    """No event can show the record."""


class Payload(StrEnum):
    """How the records themselves go with a failure record: as the event of their source."""

    OMITTED = "omitted"
    """Not at all: the record says only where they are."""
    OBJECT = "object"
    TEXT = "text"
    """As JSON text in the JSON."""


class Said(StrEnum):
    """What a destination said of one message."""

    CONFIRMED = "confirmed"
    FAILED = "failed"
    """It may be taken later."""
    REFUSED = "refused"
    """It can never be taken as it is: too large, of a form that is not allowed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one message, and why it was not taken."""

    said: Said
    reason: str = ""


CONFIRMED = Reply(Said.CONFIRMED)


_PLAIN: Final = re.compile(r"[!-~]{1,128}")
"""Printable ASCII, as SQS takes it for groups and deduplication: the narrowest rule that we know of."""


def plain(text: str) -> str:
    """*text* where any destination takes it as an id, else its digest."""
    return text if _PLAIN.fullmatch(text) else sha256(text.encode(errors="surrogatepass")).hexdigest()


class Destination(Protocol):
    """One place that messages are sent to, for as long as its mapping runs.

    A kind's duties:

    * it opens without its server, and connects when something is sent: a server that is away is a reply, not an end;
    * `CONFIRMED` is said only of what the server (or the disk) has acknowledged; every entry of a batch answer is read;
    * each call is bounded by `PATIENCE`, and a call that failed as a whole ends the sending: the rest is `FAILED` too;
    * several `send` may run side by side; one that is cancelled may have delivered.
    """

    @property
    def name(self) -> str:
        """Its kind and place, for people: no secrets."""
        ...

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        """Send *messages*; a reply for each, in their order. Whatever it raises counts as `FAILED` for all."""
        ...

    async def close(self) -> None: ...
