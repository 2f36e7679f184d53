"""lambda-semantics 4.1 to 4.3, row by row."""

from __future__ import annotations

import pytest

from headrace.model import Answer, Failure
from headrace.verdict import Kind, Rules, judge

BATCH = ["a", "b", "c"]
REPORT = Rules(report=True)
STRICT = Rules(report=True, strict=True)


def items(*identifiers):
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def verdict(value, rules=REPORT, failure=None):
    return judge(Answer(request_id="r", duration=0.0, value=value, failure=failure), BATCH, rules)


SUCCESSES = [
    None,
    {},
    "",
    [],
    {"batchItemFailures": []},
    {"batchItemFailures": None},
    {"batchItemFailures": ""},
    {"batchItemFailures": {}},
    {"statusCode": 200},
]
SUCCESSES_BY_ACCIDENT = [
    {"BatchItemFailures": [{"itemIdentifier": "a"}]},
    {"batchitemfailures": [{"itemIdentifier": "a"}]},
    {"batch_item_failures": [{"itemIdentifier": "a"}]},
    {"batchItemFailure": [{"itemIdentifier": "a"}]},
    {"ItemIdentifier": "a"},
    {"itemIdentifier": "a"},
]
FAILURES = [
    {"batchItemFailures": [{"foo": "a"}]},
    {"batchItemFailures": [{"ItemIdentifier": "a"}]},
    {"batchItemFailures": ["a"]},
    {"batchItemFailures": [None]},
    {"batchItemFailures": "a"},
    {"batchItemFailures": 0},
    {"batchItemFailures": {"itemIdentifier": "a"}},
    items(""),
    items(None),
    items("z"),
    items(123),
    items(["a"]),
    items("a", "z"),
    items("a", ""),
    "not json",
    [{"itemIdentifier": "a"}],
    [0],
    0,
    1,
    1.5,
    True,
    False,
]


@pytest.mark.parametrize("rules", [REPORT, STRICT])
@pytest.mark.parametrize("value", SUCCESSES, ids=repr)
def test_success(value, rules):
    assert verdict(value, rules).kind is Kind.SUCCESS


@pytest.mark.parametrize("rules", [REPORT, STRICT])
@pytest.mark.parametrize("value", FAILURES, ids=repr)
def test_an_answer_outside_the_contract_fails_all(value, rules):
    """Mutation: skipping what cannot be read, which settles what the handler meant as failed."""
    judged = verdict(value, rules)
    assert judged.kind is Kind.BAD_ANSWER
    assert judged.failure is not None
    assert judged.failure.message


@pytest.mark.parametrize("value", SUCCESSES_BY_ACCIDENT, ids=repr)
def test_what_aws_reads_as_success_by_accident_is_refused_by_strict_alone(value):
    assert verdict(value).kind is Kind.SUCCESS
    judged = verdict(value, STRICT)
    assert judged.kind is Kind.BAD_ANSWER
    assert next(iter(value)) in judged.failure.message


def test_strict_takes_the_right_key_beside_a_wrong_one():
    assert verdict({"batchItemFailures": [], "BatchItemFailures": []}, STRICT).kind is Kind.SUCCESS


@pytest.mark.parametrize("rules", [REPORT, STRICT])
def test_a_valid_subset_is_partial(rules):
    judged = verdict(items("c", "a"), rules)
    assert (judged.kind, judged.failed) == (Kind.PARTIAL, {"a", "c"})


def test_every_record_may_be_listed():
    assert verdict(items("a", "b", "c")).failed == {"a", "b", "c"}


def test_an_id_that_is_listed_twice_counts_once():
    judged = verdict(items("b", "b"))
    assert (judged.kind, judged.failed) == (Kind.PARTIAL, {"b"})


@pytest.mark.parametrize("value", [*SUCCESSES, *SUCCESSES_BY_ACCIDENT, *FAILURES, items("a")], ids=repr)
def test_without_report_batch_item_failures_the_answer_is_ignored(value):
    """4.3, check 3 before 4 to 8."""
    assert verdict(value, Rules()).kind is Kind.SUCCESS
    assert verdict(value, Rules(strict=True)).kind is Kind.SUCCESS


@pytest.mark.parametrize("rules", [Rules(), REPORT, STRICT])
@pytest.mark.parametrize("value", [None, items("a"), 7])
def test_a_function_error_comes_before_everything(value, rules):
    """4.3, check 1. Mutation: reading the value of an answer that failed."""
    failure = Failure(type="Task", message="timed out")
    judged = verdict(value, rules, failure)
    assert (judged.kind, judged.failure) == (Kind.ERROR, failure)


def test_a_source_says_what_its_identifiers_mean():
    """Kafka's are objects."""

    def identify(given):
        return f"{given['partition']}:{given['offset']}" if isinstance(given, dict) else None

    rules = Rules(report=True, identify=identify)
    answer = Answer(request_id="r", duration=0.0, value=items({"partition": "t-0", "offset": 7}))
    assert judge(answer, ["t-0:7"], rules).failed == {"t-0:7"}
    assert judge(answer, ["t-0:8"], rules).kind is Kind.BAD_ANSWER
    assert judge(Answer(request_id="r", duration=0.0, value=items("t-0:7")), ["t-0:7"], rules).kind is Kind.BAD_ANSWER


def test_the_ids_are_read_only_when_failures_are_named():
    def unread():
        raise AssertionError
        yield

    assert judge(Answer(request_id="r", duration=0.0), unread(), REPORT).kind is Kind.SUCCESS


def test_a_long_identifier_does_not_fill_the_log():
    assert len(verdict(items("x" * 10_000)).failure.message) < 200
