"""A record as an HTTP request: CloudEvents in both modes, plain JSON, and the signature that a receiver checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from headrace.destination import SUCCESS
from headrace_connectors.destinations.http import Format, HttpOptions, key_of
from headrace_connectors.destinations.requests import event_id, request, signed
from headrace_connectors.destinations.webhook import retry_after
from support.messages import message, opening

BODY = b'{"payload":{"n":1}}'
URL = "https://example.org/hook"
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def event(**more: Any) -> dict[str, Any]:
    body, headers = request(opening(), Format.CLOUDEVENTS, message("m", BODY, lane="lane 1", **more))
    assert headers == {"Content-Type": "application/cloudevents+json"}
    return json.loads(body)


def test_a_cloud_event_in_the_body() -> None:
    """CloudEvents 1.0, JSON format. Mutations: the record as text in `data`; the time of sending; one type for all."""
    assert event() == {
        "specversion": "1.0",
        "id": event_id(opening().uuid, message("m", b"")),
        "source": "/s/orders",
        "type": "headrace.invocation.failure",
        "subject": "lane 1",
        "time": "2025-11-25T16:40:01.123Z",
        "datacontenttype": "application/json",
        "data": {"payload": {"n": 1}},
    }
    assert event(condition=SUCCESS)["type"] == "headrace.invocation.success"


def test_extensions_have_the_names_that_cloud_events_allow() -> None:
    """Small letters and digits (1.0, Attribute Naming Convention). Mutation: headrace-hops."""
    found = event(hops=2, attributes={"RequestID": "r", "ErrorMessage": "\ud800"})
    assert (found["headracehops"], found["requestid"]) == (2, "r")
    assert "headracehops" not in event()


def test_a_cloud_event_in_headers() -> None:
    """HTTP binding 3.1: values percent-encoded, the record as the body. Mutation: a header that no server takes."""
    sent = message("m", BODY, lane='ä "x" %', hops=3)
    body, headers = request(opening(), Format.CLOUDEVENTS_BINARY, sent)
    assert (body, headers["Content-Type"], headers["ce-specversion"]) == (BODY, "application/json", "1.0")
    assert headers["ce-subject"] == "%C3%A4%20%22x%22%20%25"
    assert (headers["ce-headracehops"], headers["ce-time"]) == ("3", "2025-11-25T16:40:01.123Z")


def test_plain_json_is_the_record() -> None:
    sent = message("m", BODY, hops=1, attributes={"ErrorMessage": "a b"})
    assert request(opening(), Format.JSON, sent) == (
        BODY,
        {"Content-Type": "application/json", "headrace-errormessage": "a%20b", "headrace-hops": "1"},
    )


def test_what_is_sent_again_has_its_id_and_what_is_another_has_not() -> None:
    """Mutations: a random id; a success that passes for the failure of the same record; one id for two mappings."""
    uuid, other = opening().uuid, opening(mapping="clicks").uuid
    first = event_id(uuid, message("m", b"1"))
    assert event_id(uuid, message("m", b"2")) == first
    ones = [event_id(uuid, message("n", b"")), event_id(uuid, message("m", b"", condition=SUCCESS))]
    assert len({first, *ones, event_id(other, message("m", b""))}) == 4


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """HMAC-SHA256 over id, time and body, each checked by the receiver. Mutations: the body alone; the text as key."""
    key = key_of(SecretStr(SECRET))
    headers = signed(key, "id-1", BODY, 1764088801.9)
    said = hmac.new(KEY, b"id-1.1764088801." + BODY, hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "id-1",
        "webhook-timestamp": "1764088801",
        "webhook-signature": f"v1,{base64.b64encode(said).decode()}",
    }
    assert "webhook-signature" not in signed(None, "id-1", BODY, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "ftp://h/"}, "must be a URL"),
        ({"url": "https://"}, "must be a URL"),
        ({"url": "https://me:planted@h/"}, "must not hold a user"),
        ({"signing_secret": "planted"}, "whsec_"),
        ({"signing_secret": f"whsec_{base64.b64encode(b'planted').decode()}"}, "24 to 64 bytes"),
        ({"headers": {"Content-Type": "x"}}, "sets itself"),
        ({"headers": {"webhook-id": "planted"}}, "sets itself"),
        ({"headers": {"a b": "x"}}, "no name of a header"),
        ({"headers": {"X-Key": "planted\r\nX-Evil: 1"}}, "line break"),
        ({"timeout": 11}, "less than or equal"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_check(given: dict[str, Any], said: str) -> None:
    """Mutation: found at the first record; shown with the secret in it."""
    with pytest.raises(ValidationError, match=said) as raised:
        HttpOptions(**{"url": URL, **given})
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("12", 12),
        ("-1", 0),
        ("soon", 0),
        ("Tue, 25 Nov 2025 16:41:00 GMT", 60),
        ("Tue, 25 Nov 2025 16:39:00 GMT", 0),
    ],
)
def test_how_long_an_endpoint_wants_to_be_left_alone(text: str | None, seconds: float) -> None:
    assert retry_after(text, 1764088800.0) == seconds
