"""Random bodies, and random damage to real envelopes: nothing raises, nothing is lost, nothing else is touched."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace_connectors.sqs.event import render_unwrapped, unwrapped_records
from headrace_connectors.sqs.unwrap import ENVELOPES, ORIGINAL, Kind, unwrap
from support.scripted import message

KINDS: st.SearchStrategy[list[Kind]] = st.lists(st.sampled_from(["sns", "s3", "eventbridge"]), unique=True)  # type: ignore[arg-type]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("Notification") | st.just("aws:s3")
)
ENVELOPE_NAMES = [
    "Type",
    "TopicArn",
    "MessageId",
    "Message",
    "MessageAttributes",
    "detail",
    "detail-type",
    "resources",
    "id",
]
S3_NAMES = ["Records", "s3", "object", "key", "eventSource", "Service", "Event", "Bucket", "urlEncodedKey"]
NAMES = st.sampled_from([*ENVELOPE_NAMES, *S3_NAMES, "Value", "type"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=8),
    max_leaves=20,
)
SNS = st.fixed_dictionaries(
    {"Type": st.just("Notification"), "TopicArn": st.text(), "MessageId": st.text(), "Message": st.text()},
    optional={"MessageAttributes": st.dictionaries(st.text(), JSON), "Subject": JSON, "type": JSON},
)
S3 = st.fixed_dictionaries(
    {
        "Records": st.lists(
            st.fixed_dictionaries(
                {
                    "eventSource": st.just("aws:s3"),
                    "s3": st.fixed_dictionaries(
                        {"object": st.fixed_dictionaries({"key": st.text("a+%C3A9é", max_size=9)})}
                    ),
                },
                optional={"more": JSON},
            )
            | JSON
        )
    }
)
EVENTBRIDGE = st.fixed_dictionaries(
    {name: st.text() for name in ("version", "id", "detail-type", "source", "account", "time", "region")}
    | {"resources": st.lists(JSON), "detail": st.dictionaries(st.text(), JSON)}
)
TEXTS = st.builds(
    json.dumps, JSON | SNS | S3 | EVENTBRIDGE, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 1])
)
NESTED = TEXTS | st.builds(lambda sns, text: json.dumps({**sns, "Message": text}), SNS, TEXTS)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A text with a piece cut out, or put in."""
    text = draw(NESTED)
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    return text[:start] + draw(st.text(max_size=5)) + text[end:]


def sendable(text: str) -> str:
    """SQS takes no half surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


@given(st.builds(sendable, st.text() | NESTED | damaged()), KINDS)
def test_any_body_passes_and_can_be_shown(body: str, kinds: list[Kind]) -> None:
    given_message = message(1, body=body)
    before = json.dumps(given_message)
    found = unwrap(given_message, kinds)
    assert json.dumps(given_message) == before
    assert found is given_message or found[ORIGINAL] is given_message
    (record,) = unwrapped_records([given_message], None, 1.0, kinds=kinds)
    event = render_unwrapped([record], arn="a", region="r", windowed=True)
    assert len(json.dumps(event["Records"][0], ensure_ascii=False, separators=(",", ":")).encode()) <= record.size


@given(st.builds(sendable, st.text() | TEXTS), KINDS)
def test_what_carries_no_mark_is_untouched(body: str, kinds: list[Kind]) -> None:
    for mark in ("TopicArn", "s3", "detail-type"):
        body = body.replace(mark, "-")
    given_message = message(1, body=body)
    assert unwrap(given_message, kinds) is given_message


def plain(value: Any) -> Any:
    """The same without the encoded keys, for a comparison by value."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in {"key", "urlEncodedKey"}}
    return [plain(one) for one in value] if isinstance(value, list) else value


@given(S3)
def test_a_notification_keeps_all_but_its_keys(found: dict[str, Any]) -> None:
    body = sendable(json.dumps(found))
    after = unwrap(message(1, body=body), ["s3"])
    assert ENVELOPES not in after
    assert json.dumps(plain(json.loads(after["Body"]))) == json.dumps(plain(json.loads(body)))


@given(EVENTBRIDGE, st.sampled_from([None, 2]), st.booleans())
def test_detail_is_a_piece_of_the_body(found: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    body = sendable(json.dumps(found, indent=indent, ensure_ascii=ascii_only))
    after = unwrap(message(1, body=body), ["eventbridge"])
    assert after["Body"] in body
    if ENVELOPES in after:
        assert json.dumps(json.loads(after["Body"])) == json.dumps(json.loads(body)["detail"])
