"""Any JSON as an answer: the verdict of the table, and never an exception."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.model import Answer
from headrace.verdict import Kind, Rules, judge

BATCH = ["a", "b", "c"]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.sampled_from(BATCH)
)
KEYS = st.one_of(st.sampled_from(["batchItemFailures", "itemIdentifier", "BatchItemFailures"]), st.text(max_size=5))
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
ITEMS = st.lists(st.one_of(st.fixed_dictionaries({"itemIdentifier": LEAVES}), JSON), max_size=5)
ANSWERS = st.one_of(JSON, st.fixed_dictionaries({"batchItemFailures": ITEMS}))

NOTHING = (None, "", [], {})


def empty(value):
    return any(value is nothing or (type(value) is type(nothing) and value == nothing) for nothing in NOTHING)


def model(value):
    """lambda-semantics 4.3, checks 4 to 8, word for word."""
    if empty(value):
        return Kind.SUCCESS, set()
    if not isinstance(value, dict):
        return Kind.BAD_ANSWER, set()
    items = value.get("batchItemFailures")
    if empty(items):
        return Kind.SUCCESS, set()
    if not isinstance(items, list):
        return Kind.BAD_ANSWER, set()
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    if any(not isinstance(name, str) or name not in BATCH for name in named):
        return Kind.BAD_ANSWER, set()
    return Kind.PARTIAL, set(named)


@settings(deadline=None)
@given(ANSWERS)
def test_as_the_model(value):
    answer = Answer(request_id="r", duration=0.0, value=value)
    verdict = judge(answer, BATCH, Rules(report=True))
    assert (verdict.kind, set(verdict.failed)) == model(value)
    assert (verdict.failure is not None) == (verdict.kind is Kind.BAD_ANSWER)
    assert judge(answer, BATCH, Rules()).kind is Kind.SUCCESS


@settings(deadline=None)
@given(ANSWERS)
def test_strict_only_ever_refuses_more(value):
    answer = Answer(request_id="r", duration=0.0, value=value)
    loose, strict = (judge(answer, BATCH, Rules(report=True, strict=mode)) for mode in (False, True))
    assert strict == loose or (loose.kind is Kind.SUCCESS and strict.kind is Kind.BAD_ANSWER)
