"""Takes partitions: finds where each begins, has the group take our name for it, and makes its lane."""

from __future__ import annotations

from collections.abc import Callable

from headrace.leases import new_owner
from headrace.log import LogLane
from headrace.plugins import Opening
from headrace.settings import LEAST_CAPACITY
from headrace_connectors.kafka.beginning import Beginning
from headrace_connectors.kafka.client import Offset, TopicPartition
from headrace_connectors.kafka.contact import Contact
from headrace_connectors.kafka.cursor import OffsetCursor
from headrace_connectors.kafka.member import Member
from headrace_connectors.kafka.note import Note
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.requests import Request


class Taking:
    """Keeps a cursor for each partition from when our name is written for it until it is gone.

    *gone* is told of a partition whose lane was closed.
    """

    def __init__(self, opening: Opening, member: Member, contact: Contact, gone: Callable[[Partition], None]) -> None:
        self._opening, self._member, self._contact, self._gone = opening, member, contact, gone
        self._owner = new_owner()
        self._beginning = Beginning(member, opening.settings)
        self._cursors: dict[Partition, OffsetCursor] = {}
        self._sought: dict[TopicPartition, Request] = {}

    async def take(self, partition: Partition) -> LogLane | None:
        """Its lane, which is polled from now on; None while another member has to say first where its topic begins.

        Raises:
            LaneLost: the group gives it to another, or counts us in no more.
            Exception: the client's own; it is not taken.
        """
        begin = await self._beginning.of(partition)
        if begin is None:
            return None
        if (request := self._sought.get(partition.part)) is not None:
            begin = Offset(request.next, Note.of(begin.metadata).carried_out(request.id).text())
        cursor = OffsetCursor(partition, begin, self._owner, self._commit, lambda: self._contact.deadline)
        self._cursors[partition] = cursor
        await cursor.take()
        partition.still_ours()
        self._sought.pop(partition.part, None)
        self._member.move(partition, begin.next)
        return self._lane(partition, cursor, begin.next)

    def _lane(self, partition: Partition, cursor: OffsetCursor, begin: int) -> LogLane:
        opening, note = self._opening, cursor.note
        capacity = opening.settings.capacity or LEAST_CAPACITY
        opening.log.info("partition.taken", lane=partition.name, epoch=note.epoch, offset=begin, crashes=note.crashes)
        return LogLane(
            partition.name,
            partition,
            cursor,
            commit_interval=opening.commit_interval,
            commit_after=10 * capacity,
            crashes=note.crashes,
            mark=note.mark,
            careful_for=capacity,
            clock=opening.clock,
            logger=opening.log,
            closed=lambda _: self._gone(partition),
        )

    async def _commit(self, part: TopicPartition, offset: Offset) -> None:
        sent = self._opening.clock.boot()
        await self._member.commit({part: offset})
        self._contact.heard(sent)

    def settled(self, partition: Partition) -> int | None:
        """The offset that we have committed for it last; None where we have not yet."""
        cursor = self._cursors.get(partition)
        return None if cursor is None else cursor.last().next

    def is_news(self, partition: Partition, request: Request) -> bool:
        """True if an operator's *request* was not carried out yet: then it is, when *partition* is taken next."""
        cursor = self._cursors.get(partition)
        if cursor is None or cursor.note.sought == request.id:
            return False
        self._sought[partition.part] = request
        return True

    def give_back(self, partition: Partition) -> None:
        """It is to go before it had a lane: take our name out, if it was written."""
        if (cursor := self._cursors.get(partition)) is not None:
            self._member.commit_soon(partition.part, cursor.last())

    def forget(self, partition: Partition) -> None:
        """It is gone."""
        self._cursors.pop(partition, None)
