"""Keeps a partition's position where its group keeps it: as a committed offset, with a note beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from headrace.ledger import Mark
from headrace.model import KEEP, LaneLost, Position, Unchanged
from headrace_connectors.kafka.client import Fenced, Offset, TopicPartition
from headrace_connectors.kafka.note import Note
from headrace_connectors.kafka.partition import Partition

Commit: TypeAlias = Callable[[TopicPartition, Offset], Awaitable[None]]


def position_of(next_offset: int) -> Position:
    """That of the last record which has its verdict, where *next_offset* is the first that has none."""
    return str(next_offset - 1)


class OffsetCursor:
    """The cursor of one partition's lane. Kafka fences it by the group's generation, *partition* by the assignment.

    A commit goes under the generation that the member is in when it is sent, which may be a younger one than that of
    this assignment: so nothing is sent of a partition that was lost, and the member does not join again before what
    was sent is answered.
    """

    doubt = None

    def __init__(
        self, partition: Partition, begin: Offset, owner: str, commit: Commit, deadline: Callable[[], float]
    ) -> None:
        self.position = position_of(begin.next)
        self.note = Note.of(begin.metadata).taken(owner)
        self._partition, self._commit, self._deadline = partition, commit, deadline

    @property
    def epoch(self) -> int:
        return self.note.epoch

    @property
    def sought(self) -> str:
        """The last seek that was carried out."""
        return self.note.sought

    @property
    def deadline(self) -> float:
        return self._deadline()

    async def take(self) -> None:
        """Write our name beside the offset: who finds it there after us knows that we were lost."""
        await self._write(self.position, self.note)

    async def leave(self) -> float:
        return await self._partition.leave(self._deadline)

    async def commit(self, position: Position, memo: bytes | Unchanged | None = KEEP) -> None:  # noqa: ARG002
        await self._write(position, self.note if position == self.position else self.note.moved())

    async def mark(self, mark: Mark) -> None:
        await self._write(self.position, replace(self.note, mark=mark))

    async def close(self, *, finished: bool) -> None:  # noqa: ARG002 - a partition has no end
        """Take our name out."""
        await self._write(self.position, self.note.left())

    def last(self) -> Offset:
        """What `close` writes."""
        return Offset(int(self.position) + 1, self.note.left().text())

    def drop(self) -> None:
        """Nothing to do: a partition that is gone writes nothing."""

    async def _write(self, position: Position, note: Note) -> None:
        self._partition.still_ours()
        try:
            await self._commit(self._partition.part, Offset(int(position) + 1, note.text()))
        except Fenced as fenced:
            self._partition.lose(f"the group refused a commit: {fenced}")
            raise LaneLost(f"{self._partition.name}: {fenced}") from fenced
        self.position, self.note = position, note
