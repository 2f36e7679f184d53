"""The way out of a lane for what is given up: made into failure records, sent, and answered for one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from headrace import failure
from headrace.destination import Destination, Message, Payload, Reply, Said
from headrace.model import Event, Origin, Record
from headrace.observe import Log
from headrace.settling import Discarded, ids_of

FindOrigin: TypeAlias = Callable[[str, Sequence[Record]], Origin]
Render: TypeAlias = Callable[[Sequence[Record]], Event]
Form: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Sends once what a policy gave up; the caller tries again, and each record is then made the same.

    Attributes:
        origin: `Source.origin`.
        render: `Source.render`.
        apart: one failure record for each record (queues), or one for all that were given up together (logs).
        full: what the error was goes too.
        payload: how the records themselves go.
        singly: the destination is sent each record of a log by itself, too.
        form: the destination's own form of a failure record.
        request_id: of records that are asynchronous invocations: what is sent is then the record of an invocation.
    """

    destination: Destination
    origin: FindOrigin
    render: Render
    function_arn: str
    apart: bool
    full: bool
    payload: Payload
    log: Log
    singly: bool = False
    form: Form = lambda record: record
    request_id: Callable[[Sequence[Record]], str] | None = None

    async def __call__(self, gone: Discarded) -> Sequence[Reply]:
        """A reply for each of the records.

        A queue's record that its destination can never take stays in its queue. A log's would hold its shard for ever
        for the sake of its payload: what is refused together goes one by one, and what is refused alone without it.
        """
        pieces = _singly(gone)
        if self.apart:
            return await self._deliver(pieces, self.payload)
        sent = pieces if self.singly else [gone]
        replies = await self._deliver(sent, self.payload)
        if len(sent) < len(pieces):
            if replies[0].said is not Said.REFUSED or self.payload is Payload.OMITTED:
                return [replies[0]] * len(pieces)
            replies = await self._deliver(pieces, self.payload)
        return replies if self.payload is Payload.OMITTED else await self._without_payload(pieces, replies)

    async def _without_payload(self, pieces: Sequence[Discarded], replies: Sequence[Reply]) -> Sequence[Reply]:
        """Send those that were refused once more, as metadata that say why the payload is not with them."""
        final = {number: reply for number, reply in enumerate(replies) if reply.said is not Said.REFUSED}
        refused = {number: reply.reason for number, reply in enumerate(replies) if number not in final}
        reasons = list(refused.values())
        sent = await self._deliver([pieces[number] for number in refused], Payload.OMITTED, reasons)
        for number, reply in zip(refused, sent, strict=True):
            final[number] = reply
            if reply.said is Said.CONFIRMED:
                ids = ids_of(pieces[number].records)
                self.log.error("payload.omitted", lane=pieces[number].lane, ids=ids, error=refused[number])
        return [final[number] for number in range(len(pieces))]

    async def _deliver(
        self, pieces: Sequence[Discarded], payload: Payload, omitted: Sequence[str] = ()
    ) -> Sequence[Reply]:
        """A reply for each piece; *omitted* says of each why its payload is not sent."""
        reasons = omitted or [""] * len(pieces)
        made = [self._message(piece, payload, why) for piece, why in zip(pieces, reasons, strict=True)]
        sent = iter(await self._send([one for one in made if isinstance(one, Message)]))
        return [next(sent) if isinstance(one, Message) else one for one in made]

    def _message(self, piece: Discarded, payload: Payload, omitted: str) -> Message | Reply:
        try:
            origin = self.origin(piece.lane, piece.records)
            record = self._record(piece, origin, payload)
            if omitted:
                record["payloadOmitted"] = omitted
            return failure.message(piece, self.form(record), apart=self.apart, source_key=origin.key)
        except Exception as error:  # noqa: BLE001 - a record of odd shape stays where it is; the lane goes on
            return Reply(Said.REFUSED, f"no failure record can be made of it: {error!r}")

    def _record(self, piece: Discarded, origin: Origin, payload: Payload) -> dict[str, Any]:
        if self.request_id is not None:
            event, request_id = self.render(piece.records), self.request_id(piece.records)
            return failure.invocation_record(piece, event, function_arn=self.function_arn, request_id=request_id)
        return failure.failure_record(
            piece,
            origin,
            function_arn=self.function_arn,
            full=self.full,
            payload=self._payload(piece, origin, payload),
        )

    def _payload(self, piece: Discarded, origin: Origin, form: Payload) -> str | Event | None:
        if form is Payload.OMITTED:
            return None
        event = self.render(piece.records) if origin.payload is None else origin.payload
        return failure.to_json(event).decode() if form is Payload.TEXT else event

    async def _send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        if not messages:
            return []
        try:
            replies = await self.destination.send(messages)
        except Exception as error:  # noqa: BLE001 - whatever a kind's client raises
            replies = [Reply(Said.FAILED, f"{type(error).__name__}: {error}")] * len(messages)
        if len(replies) != len(messages):
            self.log.error("destination.miscounted", messages=len(messages), replies=len(replies))
            replies = [Reply(Said.FAILED, "it answered for another number of messages")] * len(messages)
        return [Reply(one.said, f"{self.destination.name}: {one.reason}") if one.reason else one for one in replies]


def _singly(gone: Discarded) -> list[Discarded]:
    return [replace(gone, records=[one]) for one in gone.records]
