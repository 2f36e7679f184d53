"""Random aggregates come back whole; random damage to them raises nothing, and leaves the record as it is."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from headrace_connectors.kinesis.aggregates import decode, expand
from support.aggregates import MAGIC, aggregate, sealed

HASH_KEYS = st.integers(0, 2**128 - 1).map(str)
USERS = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.none() | HASH_KEYS, st.binary()),
    min_size=1,
    max_size=20,
)


def raw(data: bytes) -> dict[str, object]:
    return {"SequenceNumber": "1", "PartitionKey": "outer", "Data": base64.b64encode(data).decode()}


@given(USERS)
def test_what_was_put_in_comes_out(users):
    found = decode(aggregate(users))
    assert found is not None
    assert [(one.partition_key, one.explicit_hash_key, one.data) for one in found] == users


@given(USERS, st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_it_belongs_to_a_shard_or_it_does_not(users, one, other):
    """All of it, or nothing of it."""
    low, high = sorted((one, other))
    found = expand(raw(aggregate(users)), (low, high))
    assert found is not None
    ours = all(low <= user.hash_key <= high for user in decode(aggregate(users)) or [])
    assert len(found) == (len(users) if ours else 0)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An aggregate with a bit turned over, or a piece cut out or put in: never the same bytes."""
    data = aggregate(draw(USERS))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(data) * 8 - 1))
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        return bytes(flipped)
    start, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
    put_in = draw(st.binary(max_size=8))
    return data[:start] + put_in + data[end:] if data[start:end] != put_in else data[:-1]


@given(st.binary() | st.binary().map(MAGIC.__add__) | damaged())
def test_damage_shows_in_the_digest(data):
    assert decode(data) is None
    assert expand(raw(data), (0, 2**128 - 1)) is None


@given(st.binary() | damaged().map(lambda data: data[4:-16]))
def test_a_message_that_is_no_aggregate_raises_nothing(message):
    """With a digest that is right, so that the decoder itself meets the damage."""
    assert (expand(raw(sealed(message)), (0, 2**127)) is None) == (decode(sealed(message)) is None)


@given(st.text() | st.text().map("84maw".__add__))
def test_text_that_is_no_base64_raises_nothing(text):
    expand({"SequenceNumber": "1", "PartitionKey": "p", "Data": text}, None)
