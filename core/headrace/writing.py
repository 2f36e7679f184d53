"""What one message says of records that leave: a failure record, the record of an invocation, or a dead letter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from headrace import failure
from headrace.classes import classify
from headrace.destination import Message, Payload
from headrace.model import Event, Origin, Record
from headrace.settling import Outgoing

FindOrigin: TypeAlias = Callable[[str, Sequence[Record]], Origin]
Render: TypeAlias = Callable[[Sequence[Record]], Event]
Form: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
RequestId: TypeAlias = Callable[[Sequence[Record]], str]
Hops: TypeAlias = Callable[[Sequence[Record]], int]
Instead: TypeAlias = Mapping[str, Any]
"""Keys that a record has in place of its payload: why that is left out, or a ticket for it."""

NOTHING: Final[Instead] = {}


class Writer(Protocol):
    """Writes the message of one piece; whatever it raises is a refusal of that piece."""

    def __call__(self, piece: Outgoing, payload: Payload, *, apart: bool, instead: Instead = NOTHING) -> Message:
        """*instead* is what the record has in place of a payload that is left out for a reason of its own."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Whose records they are: what a failure record that can be replayed says of them.

    `version` is the handler's, `hops` how many functions their content has come through on its way to this one.
    """

    service: str
    mapping: str
    source: str
    function: str
    function_arn: str
    version: str
    hops: Hops = lambda _: 0

    @property
    def qualified(self) -> str:
        """The function's ARN with its version."""
        return f"{self.function_arn}:{failure.LATEST}"

    def key(self, lane: str, id: str) -> str:  # noqa: A002 - the record's word
        """What names a record for ever: the same when it comes again."""
        return f"{self.service}/{self.mapping}/{lane}/{id}"

    def block(self, gone: Outgoing) -> dict[str, Any]:
        """What goes with a full failure record."""
        ids = [record.id for record in gone.records]
        return {
            "service": self.service,
            "mapping": self.mapping,
            "source": self.source,
            "lane": gone.lane,
            "class": classify(gone).value,
            "ids": ids,
            "keys": [self.key(gone.lane, one) for one in ids],
            "handlerVersion": self.version,
        }

    def message(self, gone: Outgoing, body: bytes, name: str, **more: Any) -> Message:
        """*body* on its way."""
        return Message(
            id=name,
            key=gone.records[0].key,
            body=body,
            lane=gone.lane,
            at=gone.at,
            condition=gone.reason,
            function=self.function,
            function_arn=self.qualified,
            hops=self.hops(gone.records) + 1,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecords:
    """Of a mapping's records.

    `full`: what the error was goes too; `form` is the destination's own form of a failure record.
    """

    about: About
    origin: FindOrigin
    render: Render
    full: bool
    form: Form = lambda record: record

    def __call__(self, piece: Outgoing, payload: Payload, *, apart: bool, instead: Instead = NOTHING) -> Message:
        origin = self.origin(piece.lane, piece.records)
        record = failure.failure_record(
            piece,
            origin,
            function_arn=self.about.function_arn,
            full=self.full,
            payload=self._payload(piece, origin, payload),
            ours=self.about.block(piece) if self.full else None,
        )
        body = failure.to_json(self.form({**record, **instead}))
        return self.about.message(piece, body, failure.name_of(piece, apart=apart), source_key=origin.key)

    def _payload(self, piece: Outgoing, origin: Origin, form: Payload) -> str | Event | None:
        if form is Payload.OMITTED:
            return None
        event = self.render(piece.records) if origin.payload is None else origin.payload
        return failure.to_json(event).decode() if form is Payload.TEXT else event


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRecords:
    """Of an invocation: of one that succeeded, its succeeded records; of an asynchronous one given up, its event.

    `request_id` is the records' own, where they are asynchronous invocations.
    """

    about: About
    render: Render
    request_id: RequestId | None = None

    def __call__(self, piece: Outgoing, payload: Payload, *, apart: bool, instead: Instead = NOTHING) -> Message:
        record = failure.invocation_record(
            piece,
            None if payload is Payload.OMITTED else self.render(piece.records),
            function_arn=self.about.qualified,
            request_id=piece.request_id if self.request_id is None else self.request_id(piece.records),
        )
        if payload is Payload.OMITTED:
            record = {key: one for key, one in record.items() if key not in {"requestPayload", "responsePayload"}}
            record |= instead
        name = failure.name_of(piece, apart=apart)
        return self.about.message(
            piece, failure.to_json(record), f"{name}-{piece.reason}", asynchronous=self.request_id is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Of an asynchronous invocation that was given up: the bare event, with three attributes beside it."""

    about: About
    render: Render
    request_id: RequestId

    def __call__(
        self,
        piece: Outgoing,
        payload: Payload,  # noqa: ARG002 - whole, or not at all
        *,
        apart: bool,
        instead: Instead = NOTHING,  # noqa: ARG002 - there is no record to have it
    ) -> Message:
        request_id = self.request_id(piece.records)
        return self.about.message(
            piece,
            failure.to_json(self.render(piece.records)),
            f"{failure.name_of(piece, apart=apart)}-dead",
            asynchronous=True,
            attributes=failure.dead_letter_attributes(piece, request_id),
        )
