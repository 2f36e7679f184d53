"""A Redis stream of failure records: what the catalog is told. What reads it is `stream`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from headrace.late import Late
from headrace.mailbox import MailboxKind
from headrace_connectors.destinations.redis import RedisDestinationOptions

URL: Final = re.compile(r"(?P<url>rediss?(?:\+(?:sentinel|cluster))?://[^#]+)#(?P<stream>.+)", re.DOTALL)


def _text(text: str) -> Mapping[str, Any] | None:
    found = URL.fullmatch(text)
    return found.groupdict() if found else None


redis = MailboxKind(
    type="redis",
    form="redis://HOST:PORT/DB#STREAM",
    options=RedisDestinationOptions,
    text=_text,
    identity=lambda _, options: f"{options.place.text} {options.stream}",
    shown=lambda options: f"{options.place.address}#{options.stream}",
    open=Late("headrace_connectors.mailboxes.stream:StreamMailbox"),
)
