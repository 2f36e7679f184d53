"""A record as an HTTP request: a CloudEvent or plain JSON, with the headers that Standard Webhooks asks for. Pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote
from uuid import UUID, uuid5

from headrace.destination import SUCCESS, Message
from headrace.failure import iso
from headrace.jsonbytes import to_json
from headrace.plugins import Opening
from headrace_connectors.attributes import texts
from headrace_connectors.destinations.http import Format

Request: TypeAlias = tuple[bytes, Mapping[str, str]]
"""Body and headers."""

_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a header of CloudEvents holds as it is (HTTP Protocol Binding 3.1.3.2); all else is percent-encoded."""


def event_id(mapping: UUID, message: Message) -> str:
    """The same whenever the message is sent again, in another process too, so that a receiver can tell a repeat."""
    return str(uuid5(mapping, f"{_outcome(message)} {message.id}"))


def request(opening: Opening, form: Format, message: Message) -> Request:
    """What is posted, but for the headers of the one attempt."""
    if form is Format.JSON:
        return message.body, {"Content-Type": "application/json", **_beside(message)}
    event = _event(opening, message)
    if form is Format.CLOUDEVENTS_BINARY:
        headers = {f"ce-{name}": quote(str(value), safe=_PLAIN, errors="replace") for name, value in event.items()}
        return message.body, {"Content-Type": "application/json", **headers}
    head = to_json({**event, "datacontenttype": "application/json"})[:-1]
    body = b"".join((head, b',"data":', message.body, b"}"))
    return body, {"Content-Type": "application/cloudevents+json"}


def signed(key: bytes | None, name: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of an attempt at *now*: Standard Webhooks 1.0.0, symmetric where there is a key."""
    headers = {"webhook-id": name, "webhook-timestamp": str(int(now))}
    if key is not None:
        content = b".".join((name.encode(), headers["webhook-timestamp"].encode(), body))
        headers["webhook-signature"] = f"v1,{base64.b64encode(hmac.digest(key, content, 'sha256')).decode()}"
    return headers


def _event(opening: Opening, message: Message) -> dict[str, Any]:
    """A CloudEvent's attributes; extensions have names of small letters and digits only."""
    extensions: dict[str, Any] = {name.replace("-", "").lower(): value for name, value in texts(message).items()}
    if message.hops:
        extensions["headracehops"] = message.hops
    return {
        "specversion": "1.0",
        "id": event_id(opening.uuid, message),
        "source": f"/{quote(opening.service, safe='')}/{quote(opening.mapping, safe='')}",
        "type": f"headrace.invocation.{_outcome(message)}",
        "subject": message.lane,
        "time": iso(message.at),
        **extensions,
    }


def _outcome(message: Message) -> str:
    return "success" if message.condition == SUCCESS else "failure"


def _beside(message: Message) -> dict[str, str]:
    return {
        f"headrace-{name.removeprefix('headrace-').lower()}": quote(value, safe=_PLAIN, errors="replace")
        for name, value in texts(message).items()
    }
