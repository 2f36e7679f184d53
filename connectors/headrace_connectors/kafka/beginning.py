"""Finds out where a partition is read from first, and has the group keep it where that must survive a crash."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.settings import MappingSettings
from headrace.times import unix
from headrace_connectors.kafka.client import KafkaClient, Offset, TopicPartition
from headrace_connectors.kafka.member import CALL_SECONDS, Member
from headrace_connectors.kafka.partition import Partition
from headrace_connectors.kafka.start import Committed, Start, first_step, missing


class Beginning:
    """What `start.first_step` says, carried out. A call raises the client's own errors, and LaneLost."""

    def __init__(self, member: Member, settings: MappingSettings) -> None:
        self._member = member
        self._position = settings.starting_position or "TRIM_HORIZON"
        written = settings.starting_position_timestamp
        self._time = None if written is None else unix(written)

    async def of(self, partition: Partition) -> Offset | None:
        """Where *partition* begins; None while another member has to say so first."""
        part, zero = partition.part, TopicPartition(partition.part.topic, 0)
        committed = await self._member.call(lambda client: client.committed(sorted({part, zero}), CALL_SECONDS))
        match first_step(part, committed, self._position):
            case Committed(offset):
                return offset
            case Start.BEGINNING:
                begin = await self._member.call(lambda client: client.beginnings([part], CALL_SECONDS))
                return Offset(begin[part])
            case Start.CONCRETE:
                await self._make_concrete(partition)
                return await self.of(partition)
            case Start.WAIT:
                return None

    async def _make_concrete(self, partition: Partition) -> None:
        """One commit for the whole topic, while partition 0 of it is ours."""

        def look(client: KafkaClient) -> Mapping[TopicPartition, Offset]:
            topic = partition.part.topic
            parts = [TopicPartition(topic, number) for number in client.partitions(topic)]
            found = (
                client.ends(parts, CALL_SECONDS) if self._time is None else client.at(parts, self._time, CALL_SECONDS)
            )
            return missing(parts, client.committed(parts, CALL_SECONDS), found)

        offsets = await self._member.call(look)
        partition.still_ours()
        await self._member.commit(offsets)
