"""KPL aggregates: what is one, what it carries, whose it is; and what shared sequence numbers mean to the engine."""

from __future__ import annotations

import base64

import pytest

from headrace.batcher import BatchPolicy
from headrace.model import Answer, Order
from headrace.policy import FailurePolicy, part
from headrace.testing import MemoryLog, virtual
from headrace.verdict import Rules, judge
from headrace_connectors.kinesis.aggregates import UserRecord, decode, expand
from support.aggregates import MAGIC, aggregate, field, message_of, sealed, user_record
from support.engine import Rig, partial, records

EVERYWHERE = (0, 2**128 - 1)
TWO = aggregate([("a", None, b"one"), ("b", None, b"two")])

BY_AWS = (
    "f3899ac20a05616c7068610a04626574610a0867616d6d6120c3a9122731373031343131383334363034363932333137333136383733303337"
    "31353838343130353732381201301a0708001a036f6e651a08080110001a0200ff1a06080010011a001a0908021a057468726565930595f15e"
    "d371c56d704f99b5b25a71"
)
"""Made by aws-kinesis-agg 1.2.3, AWS's own library: explicit hash keys, empty data, a key that is no ASCII."""


def raw(data: str | bytes, **more: object) -> dict[str, object]:
    return {
        "SequenceNumber": "495",
        "PartitionKey": "outer",
        "Data": data,
        "ApproximateArrivalTimestamp": 1750000000.987,
        **more,
    }


def test_what_aws_own_library_made_is_read():
    assert decode(bytes.fromhex(BY_AWS)) == [
        UserRecord("alpha", None, b"one"),
        UserRecord("beta", "170141183460469231731687303715884105728", b"\x00\xff"),
        UserRecord("alpha", "0", b""),
        UserRecord("gamma é", None, b"three"),
    ]


def test_the_encoder_of_these_tests_writes_what_aws_writes():
    users = [("key-0", None, b"record 0"), ("key-1", None, b"record 1"), ("key-2", None, b"record 2")]
    assert aggregate(users).hex() == (
        "f3899ac20a056b65792d300a056b65792d310a056b65792d321a0c08001a087265636f726420301a0c08011a087265636f726420311a0c"
        "08021a087265636f72642032c396e5f764c78a6e4e7ecaff6d8c9f79"
    )


@pytest.mark.parametrize("form", [bytes, lambda data: base64.b64encode(data).decode()], ids=["bytes", "base64"])
def test_user_records_share_all_but_key_and_data(form):
    """Mutation: data as bytes where the answer had text (the event would not be JSON)."""
    one, two = expand(raw(form(TWO), EncryptionType="NONE"), EVERYWHERE)
    assert one == raw(form(b"one"), PartitionKey="a", EncryptionType="NONE")
    assert two == raw(form(b"two"), PartitionKey="b", EncryptionType="NONE")


MESSAGE = message_of(["a"], ["7"], [user_record(0, b"x")])
FIXED64, FIXED32, GROUP = b"\x79" + bytes(8), b"\x7d" + bytes(4), b"\x7b\x7c"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        MAGIC,
        sealed(b""),
        sealed(message_of(["a"], [], [])),
        TWO[:-1],
        TWO[1:],
        TWO[:-1] + bytes([TWO[-1] ^ 1]),
        TWO[:5] + b"!" + TWO[6:],
        sealed(MESSAGE[:-1]),
        sealed(MESSAGE + b"\x80"),
        sealed(MESSAGE + b"\x7a\x05four"),
        sealed(MESSAGE + FIXED64[:-1]),
        sealed(MESSAGE + FIXED32[:-1]),
        sealed(MESSAGE + GROUP),
        sealed(MESSAGE + b"\x7f"),
        sealed(MESSAGE + field(0, 1)),
        sealed(MESSAGE + b"\x78" + b"\x80" * 10 + b"\x00"),
        sealed(message_of(["a"], [], [user_record(1, b"x")])),
        sealed(message_of(["a"], ["7"], [user_record(0, b"x", 1)])),
        sealed(message_of(["a"], [], [field(3, b"x")])),
        sealed(message_of(["a"], [], [field(1, 0)])),
        sealed(message_of(["a"], [], [field(1, b"") + field(3, b"x")])),
        sealed(message_of(["a"], [], [field(1, 0) + field(3, 9)])),
        sealed(message_of(["a"], [str(2**128)], [user_record(0, b"x", 0)])),
        sealed(message_of(["a"], ["-1"], [user_record(0, b"x", 0)])),
        sealed(message_of(["a"], ["9" * 5000], [user_record(0, b"x", 0)])),
        sealed(message_of(["a"], [""], [user_record(0, b"x", 0)])),
        sealed(field(1, b"\xff") + field(3, user_record(0, b"x"))),
    ],
    ids=repr,
)
def test_what_is_no_aggregate_to_the_letter_stays_as_it_is(data):
    """Mutations: no digest; a length that is cut off; a negative index; no limit of a varint."""
    assert decode(data) is None
    assert expand(raw(base64.b64encode(data).decode()), EVERYWHERE) is None


@pytest.mark.parametrize("text", ["84mawg=", "84maw", "84maw?===", "84mawé", "", "f3899ac2"])
def test_text_that_is_no_base64_stays_as_it_is(text):
    assert expand(raw(text), None) is None


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE + field(15, 1) + field(15, b"more") + FIXED64 + FIXED32,
        field(15, 2**64 - 1) + MESSAGE,
        message_of(["a"], [], [user_record(0, b"x") + field(4, field(1, b"tag") + field(2, b"value")) + field(9, 1)]),
        message_of(["a"], [], [user_record(0, b"x") + field(2, b"of another type") + field(1, b"this too")]),
        message_of(["a"], [], [field(3, b"an earlier value") + user_record(0, b"x")]),
        field(3, user_record(0, b"x")) + field(1, b"a"),
        message_of(["a"], [], [b"\x08" + b"\x80" * 9 + b"\x00" + field(3, b"x")]),
        message_of(["a"], [], [b"\x08" + b"\x80" * 9 + b"\x02" + field(3, b"x")]),
        field(1, 5) + MESSAGE,
    ],
    ids=["behind", "before", "tags", "other types", "twice", "table last", "ten bytes", "65 bits", "number for text"],
)
def test_unknown_fields_are_passed_over(message):
    """As protobuf does it: the last of a singular field counts, and one of another type is unknown."""
    assert decode(sealed(message)) == [UserRecord("a", None, b"x")]


def test_a_hash_key_is_the_explicit_one_or_the_digest_of_the_partition_key():
    # MD5("a") = 0cc175b9c0f1b6a831c399e269772661 (RFC 1321, appendix 5)
    assert UserRecord("a", None, b"").hash_key == 0x0CC175B9C0F1B6A831C399E269772661
    assert UserRecord("a", "12", b"").hash_key == 12


@pytest.mark.parametrize(("low", "high"), [(5, 5), (0, 5), (5, 2**128 - 1)])
def test_a_shards_range_includes_both_its_ends(low, high):
    """Mutation: a range that ends before its last key."""
    assert len(expand(raw(aggregate([("a", "5", b"x")])), (low, high))) == 1


@pytest.mark.parametrize("hash_range", [(0, 4), (6, 9)])
def test_an_aggregate_with_one_record_of_another_shard_is_that_shards(hash_range):
    """All of it, as the KCL does. Mutation: only the stray record dropped, so that the rest is delivered twice."""
    data = aggregate([("a", "4", b"x"), ("a", "6", b"y"), ("a", "5", b"z")])
    assert expand(raw(data), hash_range) == []
    assert len(expand(raw(data), None)) == 3


# ---- shared sequence numbers in the engine


def test_a_failed_record_fails_its_sequence_number_from_the_first_record_on():
    """Mutation: a cut at the last record of that id."""
    batch = records(["1", "2", "2", "2", "3"])
    verdict = judge(
        Answer(request_id="r", duration=0.1, value={"batchItemFailures": [{"itemIdentifier": "2"}]}),
        (one.id for one in batch),
        Rules(report=True),
    )
    good, bad = part(batch, verdict.failed, Order.SEQUENCE)
    assert (list(good), list(bad)) == (batch[:1], batch[1:])


@virtual
async def test_a_batch_may_end_within_an_aggregate_but_no_commit_does():
    """Mutation: a position committed with the first record of its aggregate."""
    log = MemoryLog()
    log.put(["1"])
    log.put(["2"] * 4, shared=True)
    log.put(["3"])
    log.seal()
    _, aggregated, *_, last = sorted({position for _, _, position, _ in log.entries})
    committed = []

    async def behave(batch, attempt):
        committed.append(log.position)
        return partial(["2"]) if batch == ["2", "2", "3"] and attempt == 1 and len(committed) == 2 else None

    lane = log.lane(commit_interval=0.01)
    rig = Rig(lane, behave, batch=BatchPolicy(size=3), failure=FailurePolicy(backoff=1.0))
    async with rig.running() as running:
        await running
    assert rig.handler.batches == ["1,2,2", "2,2,3", "2,2,3"]
    assert aggregated not in committed
    assert [position for _, position in log.commits][-1] == last
