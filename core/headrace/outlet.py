"""The way out of a lane to one destination: what is told is written down, sent, and answered for one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from headrace.claims import TICKET, ClaimStore
from headrace.destination import MOST_HOPS, Destination, Message, Payload, Reply, Said
from headrace.observe import Log
from headrace.outgoing import Outgoing, ids_of
from headrace.writing import NOTHING, Instead, Writer

OMITTED: Final = "payloadOmitted"
"""The key that a record has where its payload is nowhere: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Tells its destination once; the caller tries again, and each message is then made the same.

    Attributes:
        write: what a message says.
        apart: one message for each record (queues), or one for all that leave together (logs).
        payload: how the records themselves go.
        singly: the destination is sent each record of a log by itself, too.
        discreet: an error of writing is told by its type: its text may quote a record.
        whole: what is too large goes without its payload, but is never taken apart: it is of one invocation.
        claims: keeps whole what is too large; None: nobody does.
    """

    destination: Destination
    write: Writer
    apart: bool
    payload: Payload
    log: Log
    singly: bool = False
    discreet: bool = False
    whole: bool = False
    claims: ClaimStore | None = None

    async def __call__(self, gone: Outgoing) -> Sequence[Reply]:
        """A reply for each of the records.

        A queue's record that its destination can never take stays in its queue, unless a claim check keeps it. A log's
        would hold its shard for ever for the sake of its payload: what is refused together goes one by one, and what is
        refused alone without it.
        """
        pieces = _singly(gone)
        if self.apart:
            replies = await self._deliver(pieces, self.payload)
            return replies if self.claims is None else await self._without_payload(pieces, replies)
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
        """Send those that were refused once more, as metadata that say why the payload is not with them, or where."""
        places = await self._instead(pieces, replies)
        some = [(piece, one) for piece, one in zip(pieces, places, strict=True) if not isinstance(one, Reply)]
        sent = await self._deliver([piece for piece, _ in some], Payload.OMITTED, [one for _, one in some])
        for (piece, one), reply in zip(some, sent, strict=True):
            if reply.said is Said.CONFIRMED:
                self._say(piece, one)
        left = iter(sent)
        return [one if isinstance(one, Reply) else next(left) for one in places]

    def _say(self, piece: Outgoing, instead: Instead) -> None:
        known = {"lane": piece.lane, "ids": ids_of(piece.records)}
        if TICKET in instead:
            self.log.warning("payload.kept", **known, claim=instead[TICKET])
        else:
            self.log.error("payload.omitted", **known, error=instead[OMITTED])

    async def _instead(self, pieces: Sequence[Outgoing], replies: Sequence[Reply]) -> Sequence[Instead | Reply]:
        """What each that was refused has in place of its payload; a reply where it is not to be sent once more.

        Where they are to be kept, one that could not be ends the keeping.
        """
        found: list[Instead | Reply] = []
        away: Reply | None = None
        for piece, reply in zip(pieces, replies, strict=True):
            if reply.said is not Said.REFUSED:
                found.append(reply)
            elif self.claims is None:
                found.append({OMITTED: reply.reason})
            else:
                found.append(away or await self._kept(piece, reply, self.claims))
                last = found[-1]
                away = last if isinstance(last, Reply) and last.said is Said.FAILED else None
        return found

    async def _kept(self, piece: Outgoing, refusal: Reply, claims: ClaimStore) -> Instead | Reply:
        """The ticket for *piece*, once it is kept; what no record can be made of stays where it is, if it can."""
        message = self._message(piece, self.payload)
        if isinstance(message, Reply):
            return refusal if self.apart else {OMITTED: refusal.reason}
        try:
            reply = await claims.keep(message)
        except Exception as error:  # noqa: BLE001 - whatever a kind's client raises
            reply = Reply(Said.FAILED, f"{type(error).__name__}: {error}")
        if reply.said is not Said.CONFIRMED:
            return Reply(reply.said, f"{claims.name}: {reply.reason}")
        return {TICKET: dict(claims.claim(message))}

    async def _deliver(
        self, pieces: Sequence[Outgoing], payload: Payload, instead: Sequence[Instead] = ()
    ) -> Sequence[Reply]:
        """A reply for each piece; *instead* says of each what it has in place of its payload."""
        places = instead or [NOTHING] * len(pieces)
        made = [self._message(piece, payload, place) for piece, place in zip(pieces, places, strict=True)]
        sent = iter(await self._send([one for one in made if isinstance(one, Message)]))
        return [next(sent) if isinstance(one, Message) else one for one in made]

    def _message(self, piece: Outgoing, payload: Payload, instead: Instead = NOTHING) -> Message | Reply:
        try:
            message = self.write(piece, payload, apart=self.apart, instead=instead)
        except Exception as error:  # noqa: BLE001 - a record of odd shape stays where it is; the lane goes on
            why = type(error).__name__ if self.discreet else repr(error)
            return Reply(Said.REFUSED, f"no record can be made of it: {why}")
        if message.hops > MOST_HOPS:
            why = f"its content has come through {MOST_HOPS} functions already, so this is a circle; break it"
            return Reply(Said.REFUSED, why)
        return message

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
