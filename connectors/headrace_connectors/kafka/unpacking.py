"""What kafka-python has fetched of a partition, as messages: the records of a batch in one loop.

Its own way makes two objects of every record and asks them some forty times, which is most of what reading costs. It
still fetches, finds the batches, checks and decompresses them, and knows what was aborted. The format is Kafka's record
batch of version 2: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from kafka.consumer.fetcher import Fetcher

from headrace_connectors.kafka.client import TopicPartition, Unreadable
from headrace_connectors.kafka.message import Message, PlainMessage

IN_ONE_LOOP: Final = 2
"""The version of the format that is read here. What brokers may still have of older ones kafka-python reads."""

MORE: Final = 0x80
"""Set in every byte of a varint but its last."""

Header: TypeAlias = tuple[str, bytes | None]


class Unpacking(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka ships no types
    """Stands in for the class of which kafka-python makes one for each partition of an answer."""

    def _unpack_records(self, tp: Any, records: Iterable[Any], *_: object) -> Iterator[Message]:
        """Everything below `next_fetch_offset` was handed over, wherever it rests.

        Raises:
            Unreadable: behind what comes before it.
        """
        part, begin = TopicPartition(*tp), 0
        try:
            for batch in records:
                begin = batch.base_offset
                for message in self._read(part, batch):
                    self.next_fetch_offset = message.offset + 1
                    yield message
                if batch.magic >= IN_ONE_LOOP:  # where it ends, whatever compaction took of it
                    self.next_fetch_offset = batch.next_offset
        except Exception as error:
            why = str(error) if isinstance(error, _Wrong) else f"{type(error).__name__}: {error}"
            raise Unreadable(part, max(begin, self.next_fetch_offset), why) from error
        self.drain()

    def _read(self, part: TopicPartition, batch: Any) -> Sequence[Message]:
        if not batch.validate_crc():
            raise _Wrong("its checksum is wrong")
        self.bytes_read += batch.size_in_bytes
        if batch.magic < IN_ONE_LOOP:
            found = _older(part, batch)
        else:
            self.leader_epoch = batch.leader_epoch
            found = messages(part, batch) if self._is_for_readers(batch) else []
        self.records_read += len(found)
        return found

    def _is_for_readers(self, batch: Any) -> bool:
        """Whether it holds messages, and none of a transaction that was aborted."""
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return False
        return not batch.is_control_batch


class _Wrong(Exception):  # noqa: N818 - its text is what is told
    """What is wrong with a batch."""


def _older(part: TopicPartition, batch: Any) -> list[Message]:
    found = list(batch)
    if not all(one.validate_crc() for one in found):  # of those in a compressed one, each has its own
        raise _Wrong("its checksum is wrong")
    return [
        PlainMessage(*part, one.offset, one.timestamp, one.timestamp_type, one.key, one.value, one.headers)
        for one in found
    ]


def messages(part: TopicPartition, batch: Any) -> list[Message]:
    """Those of a *batch* of kafka-python's whose checksum is right.

    Raises:
        Exception: it is malformed all the same.
    """
    batch._maybe_uncompress()  # noqa: SLF001 - as its own iterator begins
    data, at = bytes(batch._buffer), batch._pos  # noqa: SLF001 - of bytes a slice is one copy, of its bytearray two
    (topic, number), kind = part, batch.timestamp_type
    base, first, appended = batch.base_offset, batch.first_timestamp, batch.max_timestamp
    new, plain = tuple.__new__, PlainMessage
    found: list[Message] = []
    # Hot: each field is a varint, and most have one byte, for which a call would cost more than all else
    for _ in range(batch.records_count):
        while data[at] >= MORE:  # the record's length, which follows from the rest
            at += 1
        at += 2  # and its attributes, of which there are none
        if (time := data[at]) < MORE:
            at += 1
        else:
            time, at = _long(data, at)
        if (offset := data[at]) < MORE:
            at += 1
        else:
            offset, at = _long(data, at)
        if (size := data[at]) < MORE:
            at += 1
        else:
            size, at = _long(data, at)
        key = None if size & 1 else data[at : (at := at + (size >> 1))]
        if (size := data[at]) < MORE:
            at += 1
        else:
            size, at = _long(data, at)
        value = None if size & 1 else data[at : (at := at + (size >> 1))]
        headers, at = _headers(data, at) if data[at] else ((), at + 1)
        stamp = appended if kind else first + ((time >> 1) ^ -(time & 1))
        found.append(new(plain, (topic, number, base + (offset >> 1), stamp, kind, key, value, headers)))
    if at != len(data):
        raise _Wrong("its records do not end where it ends")
    return found


def _headers(data: bytes, at: int) -> tuple[tuple[Header, ...], int]:
    """Those of one record, and where they end."""
    found = []
    count, at = _varint(data, at)
    for _ in range(_signed(count)):
        size, at = _varint(data, at)
        name = data[at : (at := at + (size >> 1))].decode()
        size, at = _varint(data, at)
        found.append((name, None if size & 1 else data[at : (at := at + (size >> 1))]))
    return tuple(found), at


def _signed(zigzag: int) -> int:
    return (zigzag >> 1) ^ -(zigzag & 1)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """What begins at *at*, in zigzag: its lowest bit says that it is negative; and what comes behind it."""
    return (data[at], at + 1) if data[at] < MORE else _long(data, at)


def _long(data: bytes, at: int) -> tuple[int, int]:
    """The same, of two bytes or more."""
    found, shift = data[at] - MORE, 7
    while (byte := data[at := at + 1]) >= MORE:
        found |= (byte - MORE) << shift
        shift += 7
    return found | byte << shift, at + 1
