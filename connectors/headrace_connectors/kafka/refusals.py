"""Why a cluster does not serve us, in one sentence with its mend, whichever client says so. Pure.

The texts are those of kafka-python 3.0, librdkafka 2.16 and OpenSSL 3, as Apache Kafka 4.1 brings them about
(tests/integration/test_kafka_connecting.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from pydantic import SecretStr

from headrace_connectors.kafka.connecting import KafkaSettings

Say: TypeAlias = Callable[[re.Match[str], KafkaSettings], str]

_MUTE: Final = re.compile(
    r"socket disconnected|Request timed out|Timed?[Oo]ut|Unable to bootstrap|_ALL_BROKERS_DOWN|_TIMED_OUT|Cancelled|"
    r"InvalidReceive|NodeNotReady|Failed to get metadata|KafkaConnectionError:? *(closed)?$"
)
"""Errors that say only that there was no answer."""


def sentence(error: object, settings: KafkaSettings, last: str | None = None) -> str:
    """What *error* means, or *last* (`Watch.last`) where it says only that there was no answer. Without secrets."""
    text = words(error)
    if last is not None and not tells(text):
        text = last
    for pattern, say in _MEANINGS:
        if found := pattern.search(text):
            return _scrubbed(say(found, settings), settings)
    return _scrubbed(text, settings)


def tells(text: str) -> bool:
    """False if the `words` of an error say only that there was no answer."""
    return not _MUTE.search(text)


def words(error: Any) -> str:
    """An error's kind and words. confluent_kafka is not imported here: it may not be installed."""
    inner = error.args[0] if getattr(error, "args", None) else error
    if callable(getattr(inner, "name", None)) and callable(getattr(inner, "str", None)):
        return f"{inner.name()}: {inner.str()}"
    said, kind = str(error), type(error).__name__
    return said if kind in said else f"{kind}: {said}"


def _scrubbed(text: str, settings: KafkaSettings) -> str:
    for name in KafkaSettings.model_fields:
        if isinstance(value := getattr(settings, name), SecretStr):
            text = text.replace(value.get_secret_value(), "***")
    return text


def _no_token(found: re.Match[str], _: KafkaSettings) -> str:
    """An endpoint's answer may quote what it was sent: only OAuth's own word is taken from it."""
    word = re.search(r'"error": *"(\w{1,50})"', found[1])
    why = f"the token endpoint refused the client: {word[1]}" if word else found[1].partition("{")[0]
    return (
        f"not authenticated: {why or 'no token was given'}; check sasl_oauthbearer_client_id, "
        "sasl_oauthbearer_client_secret and sasl_oauthbearer_token_endpoint_url"
    )


def _no_mechanism(found: re.Match[str], settings: KafkaSettings) -> str:
    known = re.search(r"supported mechanisms: *([A-Z][A-Z0-9_, -]+)", found.string)
    return (
        f"not authenticated: the broker does not take {settings.sasl_mechanism} at this port"
        f"{f', but {known[1].strip()}' if known else ''}; correct sasl_mechanism, security_protocol or the port"
    )


def _not_authenticated(found: re.Match[str], settings: KafkaSettings) -> str:
    if settings.sasl_mechanism == "OAUTHBEARER":
        return (
            "not authenticated: the broker does not take the token; is it of an endpoint that the broker trusts, in "
            "sasl_oauthbearer_scope, and are both clocks right?"
        )
    why = re.sub(r"^.*[Ee]rror: | \(after \d+ms in state \w+\)", "", found[1])
    who = f" ({settings.sasl_username})" if settings.sasl_username else ""
    return f"not authenticated: {why}; check sasl_username{who} and sasl_password"


def _not_trusted(found: re.Match[str], settings: KafkaSettings) -> str:
    of_librdkafka = found.string.startswith(("_SSL", "_TRANSPORT"))  # as either, by chance; it does not say which
    if of_librdkafka and settings.ssl_check_hostname is not False:
        return (
            "TLS: the broker's certificate is not trusted, or is for another host name; is it of an authority in "
            "ssl_cafile, and does it name the host as bootstrap_servers and the brokers' advertised.listeners do?"
        )
    mend = "is it of an authority in ssl_cafile?" if settings.ssl_cafile else "name its authority in ssl_cafile"
    return f"TLS: the broker's certificate is not trusted; {mend}"


def _no_client(_: re.Match[str], settings: KafkaSettings) -> str:
    if settings.ssl_certfile:
        return "TLS: the broker does not take our certificate (ssl_certfile); is it of an authority that it trusts?"
    return "TLS: the broker wants a client certificate; set ssl_certfile and ssl_keyfile"


def _not_authorized(found: re.Match[str], settings: KafkaSettings) -> str:
    of = {"TOPIC": "the topic", "GROUP": "the consumer group", "CLUSTER": "the cluster"}
    who = f" {settings.sasl_username}" if settings.sasl_username else ""
    return f"not authorized for {of.get(found[1].upper(), 'it')}; add an ACL that allows it to this principal{who}"


def _away(why: str, mend: str = "is it up, and are bootstrap_servers right?") -> Say:
    return lambda _, settings: f"cannot be reached at {', '.join(settings.servers)}: {why}; {mend}"


def _silent(found: re.Match[str], settings: KafkaSettings) -> str:
    """As a listener behaves that waits for something else than it is sent."""
    wants = {
        "PLAINTEXT": "is it up, or does it want TLS or credentials (security_protocol)?",
        "SSL": "is it up, or does it want credentials (security_protocol: SASL_SSL)?",
        "SASL_PLAINTEXT": "is it up, or does it want TLS (security_protocol: SASL_SSL)?",
        "SASL_SSL": "is it up?",
    }
    return _away("no answer", wants[settings.protocol])(found, settings)


_ANOTHER_HOST: Final = (
    "TLS: the broker's certificate is for another host name; name the host as the certificate does in "
    "bootstrap_servers (and the brokers in advertised.listeners), or set ssl_check_hostname: false"
)
_NO_TLS: Final = ("it does not speak TLS at this port", "correct the port, or security_protocol")

_MEANINGS: Final[list[tuple[re.Pattern[str], Say]]] = [
    (re.compile(pattern, re.DOTALL), say)
    for pattern, say in (
        (r"(?:TokenError|SASL OAUTHBEARER token): (.*)", _no_token),
        (r"UnsupportedSaslMechanism|Unsupported SASL mechanism|IllegalSaslState|current SASL state", _no_mechanism),
        (r"(?:SaslAuthenticationFailedError|_AUTHENTICATION): (.*)", _not_authenticated),
        (r"(?i)(?:hostname|ip address) mismatch|not valid for|host ?name verif", lambda *_: _ANOTHER_HOST),
        (r"(?i)certificate has expired", lambda *_: "TLS: the broker's certificate has expired; it needs a new one"),
        (r"(?i)certificate[ _]verify[ _]failed", _not_trusted),
        (
            r"(?i)alert[ _](?:bad[ _]certificate|certificate|handshake|unknown[ _]ca|access)|certificate[ _]req",
            _no_client,
        ),
        (r"(?i)wrong[ _]version|unexpected[ _]eof|packet length|record layer|SSL connection closed", _away(*_NO_TLS)),
        (r"(?i)(topic|group|cluster|transactional)_?\w*_?authorization_?failed", _not_authorized),
        (r"DNS Resolution|_RESOLVE", _away("the host name is not known", "are bootstrap_servers right?")),
        (r"(?i)refused", _away("connection refused")),
        (r"(?i)unreachable|no route", _away("there is no way to that network")),
        (_MUTE.pattern, _silent),
    )
]
