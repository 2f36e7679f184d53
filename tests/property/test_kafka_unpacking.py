"""Batches of any kind are unpacked as kafka-python itself unpacks them, wherever a poll rests between two records."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition as Theirs
from kafka.consumer.fetcher import Fetcher
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder
from kafka.record.util import calc_crc32c

from headrace_connectors.kafka.client import TopicPartition, Unreadable
from headrace_connectors.kafka.unpacking import Unpacking

PART = TopicPartition("orders", 3)
APPEND_TIME = 0x08
ABORTING, OTHER = 7, 8

LENGTHS = st.sampled_from([0, 1, 63, 64, 127, 128, 200, 8191, 8192, 20_000])
"""On both sides of where a varint gets another byte."""
BYTES = st.none() | st.binary(max_size=20) | LENGTHS.map(bytes)
HEADERS = st.lists(st.tuples(st.text(max_size=10), st.none() | st.binary(max_size=10) | LENGTHS.map(bytes)), max_size=3)
TIMES = st.integers(-(2**40), 2**42) | st.integers(1_700_000_000_000, 1_700_000_000_300)
RECORDS = st.lists(st.tuples(st.integers(0, 300), TIMES, BYTES, BYTES, HEADERS), min_size=1, max_size=8)
"""Each with how many before it compaction has taken."""


@st.composite
def batches(draw: st.DrawFn) -> bytes:
    found, offset = bytearray(), draw(st.integers(0, 2**40))
    for _ in range(draw(st.integers(1, 4))):
        producer = draw(st.sampled_from([-1, ABORTING, OTHER]))
        records, codec = draw(RECORDS), draw(st.integers(0, 4))
        if producer == -1 and draw(st.booleans()):
            found += older(records, draw(st.integers(0, 1)), offset)
        else:
            more = draw(st.sampled_from([0, APPEND_TIME]))
            found += batch(records, offset, codec=codec, producer=producer, more=more)
        offset += 3000
    return bytes(found)


def batch(
    records: Sequence[tuple[Any, ...]], base: int, *, codec: int = 0, producer: int = -1, more: int = 0, count: int = 0
) -> bytearray:
    """One of version 2, as a broker would store it: at *base*, with *more* attributes, and the wrong *count* if any."""
    whose = {"transactional": True, "producer_id": producer, "producer_epoch": 0, "base_sequence": 0}
    builder = MemoryRecordsBuilder(2, codec, 2**20, **(whose if producer >= 0 else {}))
    for gap, time, key, value, headers in records:
        builder.skip(gap)
        builder.append(time, key, value, headers)
    builder.close()
    made = bytearray(builder.buffer())
    struct.pack_into(">q", made, 0, base)
    (attributes,) = struct.unpack_from(">h", made, DefaultRecordBatch.ATTRIBUTES_OFFSET)
    struct.pack_into(">h", made, DefaultRecordBatch.ATTRIBUTES_OFFSET, attributes | more)
    if count:
        struct.pack_into(">i", made, DefaultRecordBatch.HEADER_STRUCT.size - 4, count)
    crc = calc_crc32c(memoryview(made)[DefaultRecordBatch.ATTRIBUTES_OFFSET :])
    struct.pack_into(">I", made, DefaultRecordBatch.CRC_OFFSET, crc)
    return made


def older(records: Sequence[tuple[Any, ...]], magic: int, base: int) -> bytes:
    builder = MemoryRecordsBuilder(magic, 0, 2**20, offset=base)
    for gap, time, key, value, _ in records:
        builder.skip(gap)
        builder.append(abs(time), key, value)
    builder.close()
    return bytes(builder.buffer())


def unpacked(kind: Any, data: bytes, begin: int) -> Any:
    """By the class *kind*, from offset *begin* on."""
    aborted = [SimpleNamespace(producer_id=ABORTING, first_offset=0)]
    return kind(
        begin,
        Theirs(*PART),
        MemoryRecords(data),
        isolation_level=IsolationLevel.READ_COMMITTED,
        aborted_transactions=aborted,
    )


def seen(message: Any) -> tuple[Any, ...]:
    kind = message.timestamp_type
    where = message.topic, message.partition, message.offset
    return (*where, message.timestamp, kind, message.key, message.value, list(message.headers))


@given(batches(), st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 4))
def test_batches_are_unpacked_as_kafka_python_unpacks_them(data: bytes, pages: list[int], into: int) -> None:
    """Mutations: a varint of two bytes taken for one; a negative difference of times; a hole at the end of a batch."""
    (first,) = struct.unpack_from(">q", data)
    theirs, ours = (unpacked(kind, data, first + into) for kind in (Fetcher.PartitionRecords, Unpacking))
    for size in [*pages, 1000, 1]:
        if not theirs:
            break
        assert [seen(one) for one in ours.take(size)] == [seen(one) for one in theirs.take(size)]
        assert (bool(ours), ours.next_fetch_offset) == (bool(theirs), theirs.next_fetch_offset)
        assert (ours.leader_epoch, ours.aborted_producer_ids) == (theirs.leader_epoch, theirs.aborted_producer_ids)
    assert not ours


ONE = [(0, 1000, b"k", b"v", []), (0, 1001, None, b"w", [])]


def test_what_lies_before_a_wrong_checksum_is_handed_over() -> None:
    """Then it is told at its own offset. Mutations: the checksum is not looked at; the whole answer is refused."""
    wrong = batch(ONE, 12)
    wrong[-2] ^= 1
    one = Unpacking(10, Theirs(*PART), MemoryRecords(bytes(batch(ONE, 10) + wrong)))
    assert [message.offset for message in one.take(10)] == [10, 11]
    with pytest.raises(Unreadable) as told:
        one.take(10)
    assert (told.value.part, told.value.offset, told.value.why) == (PART, 12, "its checksum is wrong")


@pytest.mark.parametrize("count", [1, 3])
def test_a_batch_that_does_not_hold_what_it_says_is_unreadable(count: int) -> None:
    """Mutation: records made of what is not there, or left out without a word."""
    one = Unpacking(10, Theirs(*PART), MemoryRecords(bytes(batch(ONE, 10, count=count))))
    with pytest.raises(Unreadable) as told:
        one.take(10)
    assert told.value.offset == 10
