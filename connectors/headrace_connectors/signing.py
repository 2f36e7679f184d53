"""Signing one kind of call again and again: AWS's Signature Version 4, in the form that botocore's signer draws once.

Between two calls of one operation only the time, the body and the credentials change. `Signer` asks botocore for the
canonical request once, and fills in what changes.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

_TIME = "{headrace:time}"
_TOKEN = "{headrace:token}"  # noqa: S105 - a place to fill, not a secret


class Credentials(Protocol):
    """What botocore calls frozen credentials."""

    access_key: str
    secret_key: str
    token: str | None


@dataclass(frozen=True, slots=True)
class _Form:
    """A canonical request with gaps for the time and the token, but for its last line: the digest of the body."""

    canonical: str
    signed: str


class Signer:
    """Signs POSTs of one operation to *url* with *headers*, which go out as they are."""

    def __init__(self, url: str, headers: dict[str, str], region: str, service: str) -> None:
        self._url, self._headers, self._region, self._service = url, headers, region, service
        self._forms: dict[bool, _Form] = {}
        self._key: tuple[str, str, bytes] = ("", "", b"")  # the secret and the day that it was made for

    def sign(self, body: bytes, credentials: Credentials, now: float) -> dict[str, str]:
        """The headers of a call of *body* at Unix time *now*."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        form = self._form(with_token=bool(credentials.token))
        canonical = form.canonical.replace(_TIME, stamp)
        headers = {**self._headers, "X-Amz-Date": stamp}
        if credentials.token:
            canonical = canonical.replace(_TOKEN, credentials.token)
            headers["X-Amz-Security-Token"] = credentials.token
        digest = sha256((canonical + sha256(body).hexdigest()).encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = _hmac(self._signing_key(credentials.secret_key, stamp[:8]), text).hex()
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={form.signed}, Signature={signature}"
        )
        return headers

    def _form(self, *, with_token: bool) -> _Form:
        form = self._forms.get(with_token)
        if form is None:
            request = AWSRequest("POST", self._url, {**self._headers, "X-Amz-Date": _TIME}, b"")
            if with_token:
                request.headers["X-Amz-Security-Token"] = _TOKEN
            signer = SigV4Auth(None, self._service, self._region)
            before_digest = signer.canonical_request(request).rpartition("\n")[0]
            signed = signer.signed_headers(signer.headers_to_sign(request))
            form = self._forms[with_token] = _Form(before_digest + "\n", signed)
        return form

    def _signing_key(self, secret: str, day: str) -> bytes:
        """It is good for a day, a region and a service."""
        if self._key[:2] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._key = (secret, day, key)
        return self._key[2]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
