"""A handler's value as a reader of its JSON sees it."""

import math
from collections import namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest

from headrace.functions.marshal import LIMIT, NotJson, TooLarge, marshal


@pytest.mark.parametrize(
    "value", [None, {}, {"batchItemFailures": []}, "", [], 0, 1.5, True, "é", {"a": [1, {"b": None}]}]
)
def test_json_values_stay(value):
    result = marshal(value)
    assert result == value
    assert type(result) is type(value)


Failed = namedtuple("Failed", "itemIdentifier")  # noqa: PYI024 - as users write them
Colour = IntEnum("Colour", "RED")
Word = StrEnum("Word", {"A": "a"})


def test_what_json_changes():
    assert marshal((1, (2,))) == [1, [2]]
    assert marshal({2: "a", None: 2, True: 3, 1.5: 4}) == {"2": "a", "null": 2, "true": 3, "1.5": 4}
    assert marshal({"batchItemFailures": ()}) == {"batchItemFailures": []}
    assert marshal({"batchItemFailures": [Failed("x")]}) == {"batchItemFailures": [{"itemIdentifier": "x"}]}
    assert marshal([Colour.RED, Word.A]) == [1, "a"]
    assert marshal({b"k": b"v"}) == {"k": "v"}


def test_decimals_are_numbers():
    """Fails with str() or float() for all: a sequence number is 56 digits long."""
    assert marshal([Decimal("1.10"), Decimal(100), Decimal("1E+2")]) == [1.1, 100, 100.0]
    assert marshal(Decimal(10**55 + 1)) == 10**55 + 1
    assert math.isnan(marshal(Decimal("NaN")))
    assert math.isnan(marshal(Decimal("-NaN")))
    assert marshal(Decimal("-Infinity")) == -math.inf


def test_nan_is_allowed():
    assert math.isnan(marshal({"a": math.nan})["a"])


def test_bytes_are_the_body():
    assert marshal(b'{"batchItemFailures": [{"itemIdentifier": "1"}]}') == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }
    assert marshal(b"") is None
    for raw, text in ((b"not json", "not json"), (b"\xff\xfe{", "\ufffd\ufffd{")):
        value = marshal(raw)
        assert type(value) is NotJson
        assert value == text
    assert type(marshal("not json")) is str  # text is a JSON string; only raw bytes can fail to be JSON


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), datetime.now(UTC), {(1, 2): 3}, {"batchItemFailures": [{1}]}, bytearray()]
)
def test_what_is_not_serialisable_raises(value):
    with pytest.raises(TypeError):
        marshal(value)


def test_circular_values_raise():
    value = {}
    value["a"] = value
    with pytest.raises((ValueError, RecursionError)):
        marshal(value)


def test_the_limit_is_on_bytes():
    """Fails with >= and with a limit on characters."""
    assert marshal("x" * (LIMIT - 2)) == "x" * (LIMIT - 2)
    with pytest.raises(TooLarge):
        marshal("x" * (LIMIT - 1))
    with pytest.raises(TooLarge):
        marshal("é" * (LIMIT // 2))
    with pytest.raises(TooLarge):
        marshal(b" " * (LIMIT + 1))


def test_the_fast_path_is_fresh():
    """Fails when the handler's own object is returned: a handler may keep and change it."""
    kept = {}
    assert marshal(kept) is not kept


def test_a_key_beside_the_empty_list_is_kept():
    assert marshal({"batchItemFailures": [], "state": {1: 2}}) == {"batchItemFailures": [], "state": {"1": 2}}
