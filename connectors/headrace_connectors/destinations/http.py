"""An HTTP endpoint as a destination: one POST a record, as a CloudEvent or as it is, signed where a secret is given.

What sends is `webhook`: the client is imported when a destination is opened.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from headrace.destination import PATIENCE
from headrace.errors import Fault
from headrace.late import Late
from headrace.plugins import DestinationKind, Opening
from headrace.settings import Seconds, Settings
from headrace_connectors.loopback import is_loopback

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)

_OURS: Final = re.compile(
    r"(?i)(?:ce|webhook|headrace)-.*|connection|content-(?:length|type)|host|transfer-encoding", re.ASCII
)
"""Headers that are not for a config to set."""


class Format(StrEnum):
    """What a request is."""

    CLOUDEVENTS = "cloudevents"
    """CloudEvents 1.0 in structured mode: all of it in the JSON, the record as `data`."""
    CLOUDEVENTS_BINARY = "cloudevents-binary"
    """The same in binary mode: the record is the body, all else in headers."""
    JSON = "json"
    """The record alone."""


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0 and not parts.fragment
    except ValueError:
        good, parts = False, SplitResult("", "", "", "", "")
    if not good or re.search(r"\s", url):
        raise ValueError("must be a URL: https://HOST/PATH")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: write headers: {Authorization: …}")
    return url


def _header(name: str) -> str:
    if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII):
        raise ValueError("is no name of a header")
    if _OURS.fullmatch(name):
        raise ValueError("is a header that headrace sets itself; take it out")
    return name


def _value(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\t -~\x80-\xff]*", value.get_secret_value()):
        raise ValueError("holds what no header may: a line break, or a character beyond Latin-1")
    return value


def key_of(secret: SecretStr) -> bytes:
    """The key that a secret of Standard Webhooks stands for. Raises ValueError."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError(
            f"must be {PREFIX} and 24 to 64 bytes in base64: what echo {PREFIX}$(openssl rand -base64 32) prints"
        )
    return key


def _secret(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None:
        key_of(secret)
    return secret


Headers: TypeAlias = dict[Annotated[str, AfterValidator(_header)], Annotated[SecretStr, AfterValidator(_value)]]


class HttpOptions(Settings):
    """`destination: {type: http, …}`."""

    url: Annotated[str, AfterValidator(_url)] = Field(description="Where each record is posted to.")
    format: Format = Field(
        Format.CLOUDEVENTS,
        description="cloudevents: CloudEvents 1.0, all of it in the body; cloudevents-binary: its attributes in "
        "headers; json: the record alone.",
    )
    headers: Headers = Field(default_factory=dict, description="Further headers; their values are not shown anywhere.")
    signing_secret: Annotated[SecretStr | None, AfterValidator(_secret)] = Field(
        None, description="Signs each request as Standard Webhooks does (HMAC-SHA256): whsec_… in base64."
    )
    timeout: Seconds = Field(PATIENCE, gt=0, le=PATIENCE, description="Seconds that an answer may take.")
    ssl_cafile: str | None = Field(
        None,
        min_length=1,
        description="PEM file of the authorities that the server's certificate is trusted by; default: the system's. "
        "Relative to the config file.",
    )

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def place(self) -> str:
        """The URL without its query, which may hold a token."""
        return f"{self.parts.netloc}{self.parts.path}"

    def tls(self, opening: Opening) -> ssl.SSLContext | None:
        """What the server's certificate is checked with; None where it needs none. Raises OSError."""
        if self.parts.scheme == "http":
            return None
        return ssl.create_default_context(cafile=str(opening.folder / self.ssl_cafile) if self.ssl_cafile else None)


def _check(opening: Opening, options: HttpOptions) -> Iterator[Fault]:
    if options.ssl_cafile and options.parts.scheme == "http":
        yield Fault("ssl_cafile", "means nothing without TLS; write https:// in url, or take it out")
        return
    try:
        options.tls(opening)
    except (OSError, ValueError):  # an SSLError is one
        yield Fault("ssl_cafile", "holds no certificate in PEM form, or cannot be read; name the authorities' file")


def _warn(opening: Opening, options: HttpOptions) -> Iterator[Fault]:
    del opening
    if options.parts.scheme == "http" and not is_loopback(options.parts.hostname or ""):
        yield Fault("url", "the records go over the network for everybody to read; use https")


http = DestinationKind(
    type="http",
    summary="An HTTP endpoint: one POST a record, a CloudEvent or plain JSON, signed; confirmed by its 2xx.",
    options=HttpOptions,
    open=Late("headrace_connectors.destinations.webhook:HttpDestination"),
    probe=Late("headrace_connectors.destinations.webhook:probe"),
    check=_check,
    attributes=True,
    warn=_warn,
)
