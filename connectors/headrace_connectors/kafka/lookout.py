"""What a source looks at again and again: whether it is counted in, where partitions end, what an operator wants."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from headrace.log import LogLane
from headrace.plugins import Opening
from headrace_connectors.kafka.asking import Asking
from headrace_connectors.kafka.client import TopicPartition
from headrace_connectors.kafka.contact import Contact
from headrace_connectors.kafka.cursor import position_of
from headrace_connectors.kafka.extent import absent, ends
from headrace_connectors.kafka.faring import Faring
from headrace_connectors.kafka.member import Member
from headrace_connectors.kafka.options import KafkaOptions
from headrace_connectors.kafka.orders import Orders
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.requests import Request
from headrace_connectors.kafka.taking import Taking

ENDS_EVERY = 2.0
"""Seconds between two questions for the ends of our partitions."""

TOPICS_EVERY = 5.0
"""Seconds between two looks whether our topics are there."""

LOOK_EVERY = 1.0
"""Seconds between two looks, at most: at the membership, and at partitions that cannot be read yet."""

SOUGHT = "an operator moves it"


class Lookout:
    """From `begin` to `close`, also while lanes drain: no task of its own, for it never waits.

    *ours* are the partitions that the group gives us, *lanes* those that have one, with it; both as they are then.
    """

    def __init__(
        self,
        opening: Opening,
        member: Member,
        contact: Contact,
        faring: Faring,
        *,
        taking: Taking,
        orders: Orders,
        ours: Mapping[TopicPartition, Partition],
        lanes: Mapping[Partition, LogLane],
    ) -> None:
        options: KafkaOptions = opening.options
        self._log, self._clock, self._wanted = opening.log, opening.clock, options.topics
        self._member, self._contact, self._faring = member, contact, faring
        self._taking, self._orders, self._ours, self._lanes = taking, orders, ours, lanes
        now = opening.clock.boot()  # then a client knows of no topic yet
        self._topics: Asking[list[str]] = Asking(TOPICS_EVERY, member.ask, since=now)
        self._ends: Asking[Mapping[TopicPartition, int]] = Asking(ENDS_EVERY, member.ask)
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Once the member is open."""
        self._look()

    def close(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _look(self) -> None:
        client, silence = self._member.client, self._member.client.silence()
        self._contact.look(silence)
        silent = silence > self._contact.session  # then polls bring nothing, which is no error
        self._faring.says("coordinator", TimeoutError() if silent else "")
        for partition, lane in self._lanes.items():
            if (offset := partition.behind_all) is not None and not lane.held.records:
                lane.rest(position_of(offset))
        now, parts = self._clock.boot(), list(self._ours)
        self._ends.look(now, lambda: ends(client, parts), self._told_ends, self._told_no_ends)
        self._topics.look(now, lambda: absent(client, self._wanted), self._told_absent)
        self._orders.look(now, parts, self._told_orders)
        self._next = asyncio.get_running_loop().call_later(min(self._contact.every, LOOK_EVERY), self._look)

    def _told_ends(self, found: Mapping[TopicPartition, int]) -> None:
        self._faring.says("ends", "")
        for part, end in found.items():
            if (partition := self._ours.get(part)) is not None:
                partition.tip = end

    def _told_no_ends(self, error: Exception) -> None:
        """A client that has no answer to its polls says nothing, but tries again."""
        self._faring.says("ends", error)

    def _told_absent(self, topics: list[str]) -> None:
        """No client says so by itself: a group of a topic that is not there has nothing to share out."""
        they = "does not exist" if len(topics) == 1 else "do not exist"
        mend = "make it, correct source.topics, or add an ACL: it is read when it is there"
        self._faring.says("topics", f"{', '.join(topics)} {they}, or may not be seen; {mend}" if topics else "")

    def _told_orders(self, found: Mapping[TopicPartition, Request]) -> None:
        """A partition that an operator wants read from elsewhere is given up, and begun there."""
        for part, request in found.items():
            partition = self._ours.get(part)
            if partition is not None and partition in self._lanes and self._taking.is_news(partition, request):
                self._log.info("partition.sought", lane=part.name, to=request.next)
                partition.lose(SOUGHT)
