"""What a report says of failure records, whichever shape they have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace_connectors.kafka.message import PlainMessage
from headrace_connectors.testbed.counts import added_up
from headrace_connectors.testbed.report import Account, Failed, Report, failed

CONTEXT = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}


def message(value: Any) -> PlainMessage:
    body = value if isinstance(value, bytes) else json.dumps({"requestContext": CONTEXT, **value}).encode()
    return PlainMessage("testbed.m.on_failure", 0, 9, 1, 0, None, body)


@pytest.mark.parametrize(
    ("record", "id", "reason"),
    [
        ({"SQSMessageInfo": {"messageId": "x"}}, "x", "RetriesExhausted after 3 attempts"),
        ({"KinesisBatchInfo": {"startSequenceNumber": "49"}}, "49", "RetriesExhausted after 3 attempts"),
        ({"DDBStreamBatchInfo": {"startSequenceNumber": "1"}}, "1", "RetriesExhausted after 3 attempts"),
        ({"KafkaBatchInfo": {"recordInfo": {"offset": "4"}}}, "offset 4", "RetriesExhausted after 3 attempts"),
        (
            {
                "SQSMessageInfo": {"messageId": "x"},
                "responsePayload": {"errorType": "ValueError", "errorMessage": "no"},
            },
            "x",
            "RetriesExhausted after 3 attempts: ValueError: no",
        ),
        (b"hello", "?", "no failure record"),
        (b"{}", "?", "no failure record"),
    ],
)
def test_a_failure_record_is_told_by_its_place_its_id_and_its_reason(record, id, reason) -> None:  # noqa: A002
    assert failed(message(record)) == Failed(topic="testbed.m.on_failure", partition=0, offset=9, id=id, reason=reason)


def test_a_report_is_read_back_as_it_was_written() -> None:
    one = Failed(topic="t", partition=0, offset=1, id="x", reason="y")
    account = Account(sent=1, delivered=0, filtered=0, retried=2, dropped=0, waiting=0, failed=[one])
    told = Report(at=5.0, mappings={"m": account})
    assert Report.of(json.loads(json.dumps(told.plain()))) == told


def test_counts_of_several_runs_add_up(tmp_path) -> None:
    (tmp_path / "1.json").write_text('{"m": {"succeeded": 2, "retried": 1}}')
    (tmp_path / "2.json").write_text('{"m": {"succeeded": 3}, "n": {"succeeded": 1}}')
    assert added_up(tmp_path) == {"m": {"succeeded": 5, "retried": 1}, "n": {"succeeded": 1}}
    assert added_up(tmp_path / "none") == {}
