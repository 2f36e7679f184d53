"""The way out of a lane for what is given up: made into failure records, sent, and answered for one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from uuid import uuid4

from headrace import failure
from headrace.clock import Clock
from headrace.destination import Destination, Message, Reply, Said
from headrace.model import Origin, Record
from headrace.observe import Log
from headrace.settling import Discarded

FindOrigin: TypeAlias = Callable[[str, Sequence[Record]], Origin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Sends once what a policy gave up; the caller tries again.

    Attributes:
        origin: `Source.origin`.
        apart: one failure record for each record (queues), or one for all that were given up together (logs).
    """

    destination: Destination
    origin: FindOrigin
    function_arn: str
    apart: bool
    clock: Clock
    log: Log

    async def __call__(self, gone: Discarded) -> Sequence[Reply]:
        """A reply for each of the records."""
        pieces = [replace(gone, records=[one]) for one in gone.records] if self.apart else [gone]
        made = [self._message(piece) for piece in pieces]
        sent = iter(await self._send([one for one in made if isinstance(one, Message)]))
        replies = [next(sent) if isinstance(one, Message) else one for one in made]
        return [reply for piece, reply in zip(pieces, replies, strict=True) for _ in piece.records]

    def _message(self, piece: Discarded) -> Message | Reply:
        try:
            record = failure.failure_record(
                piece,
                self.origin(piece.lane, piece.records),
                function_arn=self.function_arn,
                request_id=str(uuid4()),
                now=self.clock.wall(),
            )
            return failure.message(piece, record)
        except Exception as error:  # noqa: BLE001 - a record of odd shape stays where it is; the lane goes on
            return Reply(Said.REFUSED, f"no failure record can be made of it: {error!r}")

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
