"""A Redis stream of failure records: what the catalog is told. What reads it is `stream`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from headrace.late import Late
from headrace.mailbox import MailboxKind
from headrace.settings import Settings

URL: Final = re.compile(r"(?P<url>rediss?(?:\+(?:sentinel|cluster))?://[^#]+)#(?P<stream>.+)", re.DOTALL)


class RedisStreamOptions(Settings):
    """Where such a stream is."""

    url: str = Field(description="The server's, as service.state has it.", repr=False)
    stream: str = Field(description="The stream's key.")


def _text(text: str) -> Mapping[str, Any] | None:
    found = URL.fullmatch(text)
    return found.groupdict() if found else None


redis = MailboxKind(
    type="redis",
    form="redis://HOST:PORT/DB#STREAM",
    options=RedisStreamOptions,
    text=_text,
    open=Late("headrace_connectors.mailboxes.stream:StreamMailbox"),
)
