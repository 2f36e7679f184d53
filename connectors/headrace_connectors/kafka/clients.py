"""The settings that reach a cluster, in the words of each client library. Pure, but for the token provider's making."""

from __future__ import annotations

from typing import Any, Final

from pydantic import SecretStr

from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.tokens import ClientCredentials

CLIENT_ID: Final = "headrace"

_KAFKA_PYTHON: Final = {
    "ssl_cafile": "ssl_cafile",
    "ssl_certfile": "ssl_certfile",
    "ssl_keyfile": "ssl_keyfile",
    "ssl_password": "ssl_password",
    "ssl_check_hostname": "ssl_check_hostname",
}
_LIBRDKAFKA: Final = {
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
}
_TOKEN: Final = {
    "sasl_oauthbearer_client_id": "sasl.oauthbearer.client.id",
    "sasl_oauthbearer_client_secret": "sasl.oauthbearer.client.secret",
    "sasl_oauthbearer_scope": "sasl.oauthbearer.scope",
    "sasl_oauthbearer_token_endpoint_url": "sasl.oauthbearer.token.endpoint.url",
    "https_ca_location": "https.ca.location",
}


def of_kafka_python(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments of KafkaConsumer, KafkaProducer and KafkaAdminClient. They hold secrets as plain text."""
    found: dict[str, Any] = {
        "bootstrap_servers": settings.servers,
        "client_id": settings.client_id or CLIENT_ID,
        "security_protocol": settings.protocol,
    }
    if settings.with_tls:
        found |= _renamed(settings, _KAFKA_PYTHON)
        if settings.ssl_keyfile:  # without one, OpenSSL would ask for an encrypted key's on the terminal
            found.setdefault("ssl_password", "")
    if settings.with_sasl:
        found["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            found["sasl_oauth_token_provider"] = ClientCredentials.of(settings)
        else:
            found |= _renamed(
                settings, {"sasl_username": "sasl_plain_username", "sasl_password": "sasl_plain_password"}
            )
    return found


def of_librdkafka(settings: KafkaSettings) -> dict[str, Any]:
    """The configuration of librdkafka, as confluent_kafka takes it. It holds secrets as plain text."""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.servers),
        "client.id": settings.client_id or CLIENT_ID,
        "security.protocol": settings.protocol,
    }
    if settings.with_tls:
        found |= _renamed(settings, _LIBRDKAFKA)
        if settings.ssl_check_hostname is False:
            found["ssl.endpoint.identification.algorithm"] = "none"
    if settings.with_sasl:
        found["sasl.mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            found |= {"sasl.oauthbearer.method": "oidc", **_renamed(settings, _TOKEN)}
        else:
            found |= _renamed(settings, {"sasl_username": "sasl.username", "sasl_password": "sasl.password"})
    return found


def _renamed(settings: KafkaSettings, names: dict[str, str]) -> dict[str, Any]:
    """Those that are set, under the names that a client knows."""
    return {theirs: _plain(value) for ours, theirs in names.items() if (value := getattr(settings, ours)) is not None}


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
