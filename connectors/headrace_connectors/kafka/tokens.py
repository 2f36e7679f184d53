"""OAUTHBEARER for kafka-python: a client's own credentials for a token (RFC 6749 4.4), kept until it is nearly over.

librdkafka does the same by itself (`sasl.oauthbearer.method: oidc`). As there, the credentials go as HTTP Basic, as
they are written.
"""

from __future__ import annotations

import base64
import ssl
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread
from typing import Any, Final, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

import orjson
from kafka.errors import SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

from headrace.clock import SYSTEM
from headrace_connectors.kafka.connecting import KafkaSettings

PATIENCE: Final = 5.0
"""Seconds that a token may take. kafka-python waits for it where its heartbeats are sent, too."""

MARGIN: Final = 0.2
"""The share of a token's life, its last, in which it is not shown any more. kafka-python shows one again after 85 % of
the time that a broker has allowed it, which is the token's own: that must be another."""

LIFETIME: Final = 300.0
"""Seconds for which a token counts as good if the endpoint does not say."""

LARGEST: Final = 1 << 20
"""Bytes of an answer."""


class TokenError(SaslAuthenticationFailedError):  # type: ignore[misc]  # kafka ships no types
    """No token was given, and why; its text holds no secret."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Token:
    """`until` is in seconds of `Clock.boot`."""

    text: str
    until: float


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]  # kafka ships no types
    """Asks in a thread of its own, one at a time: an endpoint that drips holds nobody longer than *patience*."""

    def __init__(
        self, ask: Callable[[], Token], now: Callable[[], float] = SYSTEM.boot, patience: float = PATIENCE
    ) -> None:
        self._ask, self._now, self._patience = ask, now, patience
        self._lock = Lock()
        self._token: Token | None = None
        self._asking: Future[Token] | None = None

    @classmethod
    def of(cls, settings: KafkaSettings) -> Self:
        return cls(partial(ask, settings))

    def token(self) -> str:
        """A token that is good for a while.

        Raises:
            TokenError: none could be had.
        """
        with self._lock:
            if self._token is not None and self._token.until > self._now():
                return self._token.text
            asking = self._asking or self._start()
        try:
            return asking.result(self._patience).text
        except TimeoutError:
            raise TokenError(f"the token endpoint did not answer within {self._patience:g} s") from None

    def _start(self) -> Future[Token]:
        asking = self._asking = Future()
        Thread(target=self._work, args=(asking,), name="headrace-kafka-token", daemon=True).start()
        return asking

    def _work(self, asking: Future[Token]) -> None:
        try:
            token, error = self._ask(), None
        except TokenError as refused:
            token, error = None, refused
        except Exception as odd:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            token, error = None, TokenError(f"no token could be asked for: {type(odd).__name__}")
        with self._lock:
            self._token, self._asking = token, None
        if token is None:
            asking.set_exception(error)
        else:
            asking.set_result(token)


def ask(settings: KafkaSettings) -> Token:
    """Ask the endpoint once.

    Raises:
        TokenError: it cannot be reached, refuses, or answers something else.
    """
    url = str(settings.sasl_oauthbearer_token_endpoint_url)
    secret = settings.sasl_oauthbearer_client_secret
    pair = f"{settings.sasl_oauthbearer_client_id}:{secret.get_secret_value() if secret else ''}"
    scope = {"scope": settings.sasl_oauthbearer_scope} if settings.sasl_oauthbearer_scope else {}
    request = urllib.request.Request(  # noqa: S310 - the settings take http and https alone
        url,
        urlencode({"grant_type": "client_credentials", **scope}).encode(),
        {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"},
    )
    begun = SYSTEM.boot()
    try:
        tls = ssl.create_default_context(cafile=settings.https_ca_location) if url.startswith("https:") else None
        with urllib.request.urlopen(request, timeout=PATIENCE, context=tls) as answer:  # noqa: S310 - as above
            return _token(orjson.loads(answer.read(LARGEST)), begun)
    except HTTPError as error:
        raise TokenError(f"the token endpoint refused the client: {_refusal(error)}") from None
    except URLError as error:
        raise TokenError(f"the token endpoint cannot be reached: {_reason(error.reason)}") from None
    except OSError as error:
        raise TokenError(f"the token endpoint cannot be reached: {_reason(error)}") from None
    except ValueError:
        raise TokenError("the token endpoint's answer is not JSON") from None


def _token(answer: Any, begun: float) -> Token:
    if not isinstance(answer, dict) or not isinstance(text := answer.get("access_token"), str) or not text:
        raise TokenError("the token endpoint's answer holds no access_token")
    try:
        seconds = float(answer["expires_in"])
    except (KeyError, TypeError, ValueError):
        seconds = LIFETIME
    return Token(text, begun + seconds * (1 - MARGIN))


def _refusal(error: HTTPError) -> str:
    """The status, and OAuth's own word for what is wrong (RFC 6749 5.2): never the rest, which may quote us."""
    try:
        told = orjson.loads(error.read(LARGEST))
        word = told.get("error") if isinstance(told, dict) else None
    except (OSError, ValueError):
        word = None
    known = isinstance(word, str) and word.isascii() and word.replace("_", "").isalnum() and len(word) < 50  # noqa: PLR2004
    return f"{error.code} {word if known else error.reason}"


def _reason(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({reason.verify_message}); set https_ca_location"
    return getattr(reason, "strerror", None) or str(reason)
