"""What is asked of a Kafka client, whichever library it is: blocking calls, and what it tells of its membership."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from headrace_connectors.kafka.message import Message

Done: TypeAlias = Callable[[], None]
"""Called from any thread, once: the group may go on."""


class TopicPartition(NamedTuple):
    """One partition; equal to the tuple that kafka-python calls so."""

    topic: str
    partition: int

    @property
    def name(self) -> str:
        """As events and answers have it: `orders-0`."""
        return f"{self.topic}-{self.partition}"


class Offset(NamedTuple):
    """What a group has committed for a partition: the record that comes next, and a text of ours beside it."""

    next: int
    metadata: str = ""


class Fenced(Exception):  # noqa: N818 - a signal, not an error
    """A commit was refused: the group goes on without this member, or with a younger one of its name."""


class OutOfRange(Exception):  # noqa: N818 - a signal, not an error
    """The next record of some partitions is not there: trimmed, or beyond the end of a topic that was made again."""

    def __init__(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.offsets = offsets
        super().__init__(", ".join(f"{part.name} at {offset}" for part, offset in offsets.items()))


class Unreadable(Exception):  # noqa: N818 - a signal, not an error
    """What lies at an offset cannot be read: its checksum is wrong, or its compression unknown."""

    def __init__(self, part: TopicPartition, offset: int, why: str) -> None:
        self.part, self.offset, self.why = part, offset, why
        super().__init__(f"{part.name} at {offset}: {why}")


class Membership(Protocol):
    """Is told what becomes of a member's partitions; called from the client's threads, and returns at once."""

    def assigned(self, parts: Sequence[TopicPartition]) -> None:
        """These are ours from now on, and paused at an offset that means nothing yet."""
        ...

    def revoked(self, parts: Sequence[TopicPartition], done: Done) -> None:
        """These are to be let go. They are ours, and can be committed, until *done* is called."""
        ...

    def lost(self, parts: Sequence[TopicPartition], done: Done) -> None:
        """These were ours, and may be another's. The member joins again after *done*."""
        ...


class KafkaClient(Protocol):
    """A member of a consumer group, by one library. Its calls block; `poll` and what is beside it have one thread.

    The others may be called from a second thread, also while `poll` waits for `Membership.revoked` to be done. What a
    server refuses, or a network keeps from it, is the library's own error: `words` has it in people's language.
    """

    def poll(self, seconds: float) -> Mapping[TopicPartition, Sequence[Message]]:
        """What has come, at most after *seconds*. Keeps the membership: it must be called again and again.

        Raises:
            OutOfRange: see there; it is raised again until the partition is paused or moved.
            Unreadable: as well.
        """
        ...

    def rest(self, seconds: float) -> None:
        """Instead of a poll, for which there is no room: returns at `wake`, at most after *seconds*.

        It is still the poll thread, and does what others want of it.
        """
        ...

    def wake(self) -> None:
        """End a rest, or the next one before it begins; never blocks, from any thread."""
        ...

    def pause(self, part: TopicPartition) -> None: ...

    def resume(self, part: TopicPartition) -> None: ...

    def seek(self, part: TopicPartition, offset: int) -> None: ...

    def position(self, part: TopicPartition) -> int | None:
        """The offset that is asked for next, past markers and holes; None where it is not known yet."""
        ...

    def commit(self, offsets: Mapping[TopicPartition, Offset], seconds: float) -> None:
        """Write *offsets*, all in one request; under the generation of the group that this member is in.

        Raises:
            Fenced: it is in none.
        """
        ...

    def committed(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, Offset]:
        """What the group has committed; without those for which it has nothing."""
        ...

    def partitions(self, topic: str) -> Sequence[int]:
        """Of a topic, as of the last metadata; none where there is no such topic."""
        ...

    def beginnings(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]: ...

    def ends(self, parts: Sequence[TopicPartition], seconds: float) -> Mapping[TopicPartition, int]:
        """Where the next record will be that anybody may read."""
        ...

    def at(self, parts: Sequence[TopicPartition], time: float, seconds: float) -> Mapping[TopicPartition, int]:
        """The first record of Unix time *time* or younger; the end where there is none."""
        ...

    @property
    def session(self) -> float | None:
        """Seconds of silence after which the group goes on without this member; None where brokers do not tell."""
        ...

    def silence(self) -> float:
        """Seconds since the group's coordinator was last known to count us in; never blocks, from any thread."""
        ...

    def close(self, seconds: float) -> None:
        """Leave the group; tells of what is revoked by that."""
        ...
