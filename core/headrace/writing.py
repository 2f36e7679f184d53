"""What one message says of records that leave: a failure record, the record of an invocation, or a dead letter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

from headrace import failure
from headrace.classes import classify
from headrace.destination import Message, Payload
from headrace.jsonbytes import to_json
from headrace.letters import REDACTED, REDACTED_ATTRIBUTE
from headrace.masking import MASK
from headrace.model import Event, Origin, Record, Render
from headrace.outgoing import Outgoing
from headrace.redaction import Redacted, Redaction

FindOrigin: TypeAlias = Callable[[str, Sequence[Record]], Origin]
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

    `version` is the handler's, `redaction` what is hidden of them, `hops` how many functions their content has come
    through on its way to this one.
    """

    service: str
    mapping: str
    source: str
    function: str
    function_arn: str
    version: str
    redaction: Redaction | None = None
    hops: Hops = lambda _: 0

    @property
    def qualified(self) -> str:
        """The function's ARN with its version."""
        return f"{self.function_arn}:{failure.LATEST}"

    def key(self, lane: str, id: str) -> str:  # noqa: A002 - the record's word
        """What names a record for ever: the same when it comes again."""
        return f"{self.service}/{self.mapping}/{lane}/{id}"

    def shown(self, gone: Outgoing, render: Render) -> Redacted:
        """The records as they may leave, by their source's *render*."""
        return Redacted(render(gone.records)) if self.redaction is None else self.redaction.of(gone.records)

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
            "handlerVersion": gone.version or self.version,
        }

    def message(self, gone: Outgoing, body: bytes, name: str, **more: Any) -> Message:
        """*body* on its way. A key that is hidden orders nothing there."""
        hidden = self.redaction is not None and self.redaction.hides_key
        if hidden:
            more.pop("source_key", None)
        return Message(
            id=name,
            key=None if hidden else gone.records[0].key,
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
        origin = self._origin(piece)
        shown = None if payload is Payload.OMITTED else self._shown(piece, origin)
        record = failure.failure_record(
            piece,
            origin,
            function_arn=self.about.function_arn,
            full=self.full,
            payload=_in_form(shown.event, payload) if shown else None,
            ours=self._ours(piece, shown),
        )
        body = to_json(self.form({**record, **instead}))
        return self.about.message(piece, body, failure.name_of(piece, apart=apart), source_key=origin.key)

    def _origin(self, piece: Outgoing) -> Origin:
        origin, redaction = self.origin(piece.lane, piece.records), self.about.redaction
        if redaction is None or not redaction.hides_key:
            return origin
        key = piece.records[0].key
        return replace(origin, info={name: MASK if one == key else one for name, one in origin.info.items()})

    def _shown(self, piece: Outgoing, origin: Origin) -> Redacted:
        """What is redacted goes in the shape that paths are of, even where the source has another at hand."""
        if origin.payload is None or self.about.redaction is not None:
            return self.about.shown(piece, self.render)
        return Redacted(origin.payload)

    def _ours(self, piece: Outgoing, shown: Redacted | None) -> dict[str, Any] | None:
        """A payload of which something is missing says so, even where nothing else of ours is asked for."""
        missing = {REDACTED: list(shown.paths)} if shown and shown.paths else {}
        return {**(self.about.block(piece) if self.full else {}), **missing} or None


def _in_form(event: Event | str, form: Payload) -> Event | str:
    return to_json(event).decode() if form is Payload.TEXT else event


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRecords:
    """Of an invocation: of one that succeeded, its succeeded records; of an asynchronous one given up, its event.

    `request_id` is the records' own, where they are asynchronous invocations.
    """

    about: About
    render: Render
    request_id: RequestId | None = None

    def __call__(self, piece: Outgoing, payload: Payload, *, apart: bool, instead: Instead = NOTHING) -> Message:
        shown = None if payload is Payload.OMITTED else self.about.shown(piece, self.render)
        record = failure.invocation_record(
            piece,
            shown.event if shown else None,
            function_arn=self.about.qualified,
            request_id=piece.request_id if self.request_id is None else self.request_id(piece.records),
        )
        returned = piece.outcome is not None and piece.outcome.answer.failure is None  # an error is clean already
        if shown and returned and self.about.redaction is not None:
            record["responsePayload"] = self.about.redaction.answered(shown.secrets, record["responsePayload"])
        if shown and shown.paths:
            record["headrace"] = {REDACTED: list(shown.paths)}
        if payload is Payload.OMITTED:
            record = {key: one for key, one in record.items() if key not in {"requestPayload", "responsePayload"}}
            record |= instead
        name = failure.name_of(piece, apart=apart)
        return self.about.message(
            piece, to_json(record), f"{name}-{piece.reason}", asynchronous=self.request_id is not None
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
        request_id, shown = self.request_id(piece.records), self.about.shown(piece, self.render)
        missing = {REDACTED_ATTRIBUTE: ", ".join(shown.paths)} if shown.paths else {}
        return self.about.message(
            piece,
            to_json(shown.event),
            f"{failure.name_of(piece, apart=apart)}-dead",
            asynchronous=True,
            attributes=failure.dead_letter_attributes(piece, request_id) | missing,
            bare=True,
        )
