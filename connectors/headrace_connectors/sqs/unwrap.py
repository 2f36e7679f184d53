"""Take the envelopes of SNS, S3 and EventBridge off a message's body. Pure.

The message stays SQS's: id, receipt and attributes are untouched, so that answers and batch processors work as they
are. Envelopes are taken off from the outside, each only if its kind was asked for. Whatever is not such an envelope to
the letter, or could not be written as JSON afterwards, passes as it came: nothing here raises.

* `sns`: the body becomes `Message`, and SNS's message attributes the message's, as raw message delivery has them
  (https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html).
* `eventbridge`: the body becomes the text of `detail`, byte for byte.
* `s3`: the keys of a notification are decoded in place, a test event is marked: `notifications.py`. EventBridge's own
  events of S3 have plain keys, and are no business of this.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any, Literal, TypeAlias

import orjson

from headrace.jsontext import members, parse, root
from headrace_connectors.sqs import digests
from headrace_connectors.sqs.notifications import bucket_of_test_event, with_plain_keys

Kind: TypeAlias = Literal["sns", "s3", "eventbridge"]
Message: TypeAlias = dict[str, Any]

ORIGINAL = "_original"
"""Key of a changed message: the message as SQS gave it."""

ENVELOPES = "_envelopes"
"""Key of a message of which envelopes were taken off: what each held beside its payload, the outermost first."""

TEST_EVENT = "_test_event"
"""Key of a test event of S3: the bucket's name."""

DEEPEST = 8
"""The most envelopes that are taken off one message; services nest two or three. What is left stays in the body."""

_MARKS: dict[Kind, str] = {"sns": '"TopicArn"', "s3": '"s3', "eventbridge": '"detail-type"'}
"""Text without which a body is no such envelope: most other bodies need not be parsed."""


def unwrap(message: Message, kinds: Collection[Kind]) -> Message:
    """*message*, as ReceiveMessage gave it, without its envelopes; the same object where it has none."""
    try:
        changed = _changed(message, kinds)
        orjson.dumps(changed, default=str)  # half a surrogate pair, a number above 64 bits: SQS's event has neither
    except orjson.JSONEncodeError:
        return message
    if not changed:
        return message
    if "Body" in changed:
        changed["MD5OfBody"] = digests.of_body(changed["Body"])
    if "MessageAttributes" in changed:
        changed["MD5OfMessageAttributes"] = digests.of_attributes(changed["MessageAttributes"])
    return {**message, **changed, ORIGINAL: message}


def _changed(message: Message, kinds: Collection[Kind]) -> Message:
    """What becomes different about *message*."""
    changed: Message = {}
    body, envelopes = message["Body"], list[dict[str, Any]]()
    while (found := _object(body, kinds)) is not None and len(envelopes) < DEEPEST:
        if "sns" in kinds and _is_sns(found):
            own = changed.get("MessageAttributes") or message.get("MessageAttributes") or {}
            if carried := _carried(found, own):
                changed["MessageAttributes"] = {**own, **carried}
            envelopes.append(_beside_sns(found, carried))
            body = found["Message"]
        elif "eventbridge" in kinds and _is_eventbridge(found):
            envelopes.append({"type": "eventbridge"} | _without(found, "detail", "type"))
            body = body[slice(*members(body, root(body))["detail"])]
        else:
            break
    if envelopes:
        changed[ENVELOPES] = envelopes
    if found is not None and "s3" in kinds:
        body = with_plain_keys(body, found)
        if (bucket := bucket_of_test_event(found)) is not None:
            changed[TEST_EVENT] = bucket
    if body is not message["Body"]:
        changed["Body"] = body
    return changed


def _object(body: str, kinds: Collection[Kind]) -> dict[str, Any] | None:
    """The object that *body* is, where it may be an envelope."""
    found = parse(body) if any(_MARKS[kind] in body for kind in kinds) else None
    return found if isinstance(found, dict) else None


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _is_sns(found: dict[str, Any]) -> bool:
    match found:
        case {"Type": "Notification", "TopicArn": str(), "MessageId": str(), "Message": str()}:
            return True
    return False


def _beside_sns(notification: dict[str, Any], carried: dict[str, Any]) -> dict[str, Any]:
    """All but the payload, and but the attributes that the message carries now."""
    beside = {"type": "sns"} | _without(notification, "Type", "Message", "MessageAttributes", "type")
    attributes = notification.get("MessageAttributes", {})
    left = _without(attributes, *carried) if isinstance(attributes, dict) else attributes
    return beside | {"MessageAttributes": left} if left else beside


def _carried(notification: dict[str, Any], own: dict[str, Any]) -> dict[str, dict[str, str]]:
    """SNS's message attributes as SQS's, but for those whose name the message has already."""
    attributes = notification.get("MessageAttributes")
    shown = {name: _attribute(value) for name, value in attributes.items()} if isinstance(attributes, dict) else {}
    return {name: value for name, value in shown.items() if value and name not in own}


def _attribute(attribute: Any) -> dict[str, str] | None:
    """None for what is no attribute of SNS: String, String.Array, Number, or Binary in base64."""
    match attribute:
        case {"Type": "String" | "String.Array" | "Number" as kind, "Value": str(value)}:
            return {"StringValue": value, "DataType": kind}
        case {"Type": "Binary", "Value": str(value)} if _is_base64(value):
            return {"BinaryValue": value, "DataType": "Binary"}
    return None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _is_eventbridge(found: dict[str, Any]) -> bool:
    match found:
        case {
            "version": str(),
            "id": str(),
            "detail-type": str(),
            "source": str(),
            "account": str(),
            "time": str(),
            "region": str(),
            "resources": list(),
            "detail": dict(),
        }:
            return True
    return False
