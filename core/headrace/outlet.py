"""The way out of a lane to one destination: what is told is written down, sent, and answered for one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headrace.destination import Destination, Message, Payload, Reply, Said
from headrace.observe import Log
from headrace.settling import Outgoing, ids_of
from headrace.writing import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Tells its destination once; the caller tries again, and each message is then made the same.

    Attributes:
        write: what a message says.
        apart: one message for each record (queues), or one for all that leave together (logs).
        payload: how the records themselves go.
        singly: the destination is sent each record of a log by itself, too.
        whole: what is too large goes without its payload, but is never taken apart: it is of one invocation.
    """

    destination: Destination
    write: Writer
    apart: bool
    payload: Payload
    log: Log
    singly: bool = False
    whole: bool = False

    async def __call__(self, gone: Outgoing) -> Sequence[Reply]:
        """A reply for each of the records.

        A queue's record that its destination can never take stays in its queue. A log's would hold its shard for ever
        for the sake of its payload: what is refused together goes one by one, and what is refused alone without it.
        """
        pieces = _singly(gone)
        if self.apart:
            return await self._deliver(pieces, self.payload)
        if self.whole:
            replies = await self._deliver([gone], self.payload)
            return list(await self._without_payload([gone], replies)) * len(pieces)
        sent = pieces if self.singly else [gone]
        replies = await self._deliver(sent, self.payload)
        if len(sent) < len(pieces):
            if replies[0].said is not Said.REFUSED or self.payload is Payload.OMITTED:
                return [replies[0]] * len(pieces)
            replies = await self._deliver(pieces, self.payload)
        return replies if self.payload is Payload.OMITTED else await self._without_payload(pieces, replies)

    async def _without_payload(self, pieces: Sequence[Outgoing], replies: Sequence[Reply]) -> Sequence[Reply]:
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
        self, pieces: Sequence[Outgoing], payload: Payload, omitted: Sequence[str] = ()
    ) -> Sequence[Reply]:
        """A reply for each piece; *omitted* says of each why its payload is not sent."""
        reasons = omitted or [""] * len(pieces)
        made = [self._message(piece, payload, why) for piece, why in zip(pieces, reasons, strict=True)]
        sent = iter(await self._send([one for one in made if isinstance(one, Message)]))
        return [next(sent) if isinstance(one, Message) else one for one in made]

    def _message(self, piece: Outgoing, payload: Payload, omitted: str) -> Message | Reply:
        try:
            return self.write(piece, payload, apart=self.apart, omitted=omitted)
        except Exception as error:  # noqa: BLE001 - a record of odd shape stays where it is; the lane goes on
            return Reply(Said.REFUSED, f"no record can be made of it: {error!r}")

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


def _singly(gone: Outgoing) -> list[Outgoing]:
    return [replace(gone, records=[one]) for one in gone.records]
