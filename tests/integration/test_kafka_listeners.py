"""The listeners that tests of TLS and SASL stand on: who may comes in, with either client; nobody else does."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient
from kafka.net.sasl.oauth import AbstractTokenProvider

from support.certificates import Authority
from support.kafka_secured import PASSWORD, USER, Secured
from support.token_endpoint import CLIENT_ID, CLIENT_SECRET, TokenEndpoint, token

MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
LISTENERS = {"SASL": "SASL_PLAINTEXT", "SASLTLS": "SASL_SSL"}


class Fixed(AbstractTokenProvider):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def token(self) -> str:
        return self.text


def comes_in(address: str, **settings: Any) -> bool:
    """kafka-python."""
    client = KafkaAdminClient(bootstrap_servers=address, **settings)
    try:
        return isinstance(client.list_topics(), list)
    finally:
        client.close()


def refused(address: str, passing: Collection[str] = ("_TRANSPORT", "_ALL_BROKERS_DOWN"), **settings: Any) -> str:
    """librdkafka: the name of the first error that is not *passing*; "" when it is answered.

    On a busy machine a connection may time out, which says nothing of who may come in.
    """
    words = {name if name.endswith("_cb") else name.replace("_", "."): value for name, value in settings.items()}
    errors: list[KafkaError] = []

    def note(error: KafkaError) -> None:
        if error.name() not in passing:
            errors.append(error)

    client = AdminClient({"bootstrap.servers": address, "log_level": 0, "error_cb": note, **words})
    deadline = time.monotonic() + 60
    while not errors and time.monotonic() < deadline:
        client.poll(0)
        try:
            client.list_topics(timeout=1)
        except KafkaException:
            continue
        return ""
    assert errors, "neither answered nor refused"
    return str(errors[0].name())


def test_tls(secured_kafka: Secured, tmp_path: Path) -> None:
    address, ca = secured_kafka.addresses["TLS"], secured_kafka.ca
    assert comes_in(address, security_protocol="SSL", ssl_cafile=str(ca))
    assert refused(address, security_protocol="SSL", ssl_ca_location=str(ca)) == ""
    stranger = Authority(tmp_path).pair.certificate
    assert refused(address, security_protocol="SSL", ssl_ca_location=str(stranger)) == "_SSL"


def test_client_certificates(secured_kafka: Secured) -> None:
    address, ca, own = secured_kafka.addresses["MTLS"], str(secured_kafka.ca), secured_kafka.client
    certificate, key = str(own.certificate), str(own.key)
    assert comes_in(address, security_protocol="SSL", ssl_cafile=ca, ssl_certfile=certificate, ssl_keyfile=key)
    pair = {"ssl_certificate_location": certificate, "ssl_key_location": key}
    assert refused(address, security_protocol="SSL", ssl_ca_location=ca, **pair) == ""
    # TLS 1.3 tells a client only after the handshake that a certificate was missing: it may see a closed connection
    assert refused(address, security_protocol="SSL", ssl_ca_location=ca, passing=()) in {"_SSL", "_TRANSPORT"}


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("listener", LISTENERS)
def test_passwords(secured_kafka: Secured, listener: str, mechanism: str) -> None:
    address, ca = secured_kafka.addresses[listener], str(secured_kafka.ca)
    how = {"security_protocol": LISTENERS[listener], "sasl_mechanism": mechanism}
    assert comes_in(address, **how, ssl_cafile=ca, sasl_plain_username=USER, sasl_plain_password=PASSWORD)
    theirs = {**how, "ssl_ca_location": ca, "sasl_username": USER}
    assert refused(address, **theirs, sasl_password=PASSWORD) == ""
    assert refused(address, **theirs, sasl_password="wrong") == "_AUTHENTICATION"


@pytest.mark.parametrize("listener", LISTENERS)
def test_tokens(secured_kafka: Secured, token_endpoint: TokenEndpoint, listener: str) -> None:
    address, ca = secured_kafka.addresses[listener], str(secured_kafka.ca)
    how = {"security_protocol": LISTENERS[listener], "sasl_mechanism": "OAUTHBEARER"}
    assert comes_in(address, **how, ssl_cafile=ca, sasl_oauth_token_provider=Fixed(token()))
    theirs = {**how, "ssl_ca_location": ca}
    asks = {
        "sasl_oauthbearer_method": "oidc",
        "sasl_oauthbearer_token_endpoint_url": token_endpoint.url,
        "sasl_oauthbearer_client_id": CLIENT_ID,
    }
    before = token_endpoint.asked
    assert refused(address, **theirs, **asks, sasl_oauthbearer_client_secret=CLIENT_SECRET) == ""
    assert token_endpoint.asked == before + 1
    assert refused(address, **theirs, **asks, sasl_oauthbearer_client_secret="wrong") == "_AUTHENTICATION"
    over = (token(lifetime=-60), time.time() + 300)
    assert refused(address, **theirs, oauth_cb=lambda _: over) == "_AUTHENTICATION"
