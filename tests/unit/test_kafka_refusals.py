"""One sentence for what clients say: the errors that tell are found among those that do not, and hold no secret."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from kafka import errors
from kafka.future import Future
from kafka.protocol.sasl import SaslAuthenticateRequest

from headrace_connectors.kafka import logs
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.refusals import sentence, tells, words
from headrace_connectors.kafka.watching import Watch

PLANTED = "hunter2-planted-secret"
PLAIN = KafkaSettings(
    bootstrap_servers=["a:1", "b:2"],
    security_protocol="SASL_PLAINTEXT",
    sasl_mechanism="PLAIN",
    sasl_username="me",
    sasl_password=PLANTED,
)
SILENT = "cannot be reached at a:1, b:2: no answer; is it up, or does it want TLS (security_protocol: SASL_SSL)?"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.TopicAuthorizationFailedError("t"), "not authorized for the topic; add an ACL"),
        (errors.GroupAuthorizationFailedError(), "not authorized for the consumer group; add an ACL"),
        (errors.ClusterAuthorizationFailedError(), "not authorized for the cluster; add an ACL"),
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), "not authorized for the topic; add an ACL"),
        (KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), "not authorized for the consumer group; add an ACL"),
        (errors.KafkaTimeoutError("Unable to bootstrap from x"), SILENT),
        (KafkaException(KafkaError(KafkaError._TRANSPORT, "Failed to get metadata: Local: Broker down")), SILENT),
        (errors.InvalidReceiveError("Invalid frame length: 352518912"), SILENT),
        (OSError(113, "No route to host"), "cannot be reached at a:1, b:2: there is no way to that network"),
        (errors.CorruptRecordError("crc"), "[Error 2] CorruptRecordError: crc"),
        (ValueError(f"no {PLANTED} here"), "ValueError: no *** here"),
        (
            errors.KafkaConnectionError("Handshake failed: [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"),
            "TLS: the broker's certificate has expired; it needs a new one",
        ),
        (
            errors.KafkaConnectionError("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"),
            "TLS: the broker wants a client certificate; set ssl_certfile and ssl_keyfile",
        ),
        (
            KafkaError(
                KafkaError._AUTHENTICATION,
                f'Failed to acquire SASL OAUTHBEARER token: {{"error": "invalid_client", "error_hint": "{PLANTED}"}}',
            ),
            "not authenticated: the token endpoint refused the client: invalid_client; check sasl_oauthbearer_client",
        ),
    ],
)
def test_sentences(error: Any, said: str) -> None:
    """Mutations: the error's own text where a person has no use for it; a secret that it quotes."""
    assert sentence(error, PLAIN).startswith(said)


HANDSHAKE = "ssl://127.0.0.1:1/bootstrap: {}error:0A000086:SSL routines::certificate verify failed{}"


@pytest.mark.parametrize(
    "error",
    [
        KafkaError(KafkaError._SSL, HANDSHAKE.format("SSL handshake failed: ", ": broker certificate could not be")),
        KafkaError(KafkaError._TRANSPORT, HANDSHAKE.format("", " (after 3ms in state SSL_HANDSHAKE)")),
    ],
    ids=lambda error: error.name(),
)
def test_librdkafka_does_not_say_what_is_wrong_with_a_certificate(error: KafkaError) -> None:
    """It tells the same refusal in one of two ways, by chance. Catches: the second taken for one that says which."""
    tls = KafkaSettings(bootstrap_servers="127.0.0.1:1", security_protocol="SSL", ssl_cafile="ca.pem")
    assert "is not trusted, or is for another host name" in sentence(error, tls)
    unchecked = tls.model_copy(update={"ssl_check_hostname": False})
    assert (
        sentence(error, unchecked)
        == "TLS: the broker's certificate is not trusted; is it of an authority in ssl_cafile?"
    )


def test_the_reason_counts_where_the_error_is_only_a_time_out() -> None:
    """Mutations: the time-out told; the reason told in place of another error."""
    timeout = errors.KafkaTimeoutError("Unable to bootstrap from ['a:1']")
    reason = words(errors.SaslAuthenticationFailedError("SaslAuthenticationFailedError: Authentication failed"))
    assert sentence(timeout, PLAIN, reason).startswith("not authenticated: Authentication failed; check sasl_username")
    assert sentence(errors.TopicAuthorizationFailedError("t"), PLAIN, reason).startswith("not authorized for the topic")


class Connection:
    """As kafka-python's: it is told how its making ends."""

    def __init__(self) -> None:
        self.init_future = Future()
        self.closed_with: list[object] = []

    def close(self, error: Exception | None = None) -> None:
        self.closed_with.append(error)


def followed(watch: Watch, place: str = "bootstrap-0") -> Connection:
    connection = Connection()
    watch.follow(place, connection)
    return connection


def test_a_reason_stands_until_another_or_until_things_are_well() -> None:
    """Mutations: what a closed connection says in the end wipes out the reason; a reason that is over is told."""
    watch = Watch()
    followed(watch).init_future.failure(errors.SaslAuthenticationFailedError("no"))
    followed(watch).init_future.failure(errors.KafkaConnectionError("socket disconnected"))
    assert "SaslAuthenticationFailedError" in str(watch.last)
    followed(watch).init_future.failure(errors.KafkaConnectionError("111 ECONNREFUSED"))
    assert "ECONNREFUSED" in str(watch.last)
    followed(watch, "other").init_future.success(True)
    assert "ECONNREFUSED" in str(watch.last)
    followed(watch).init_future.success(True)
    assert watch.last is None


def test_what_a_connection_is_closed_for_is_told_too() -> None:
    """Where the end of the stream has come first. Mutation: only how its making ended."""
    watch = Watch()
    connection = followed(watch)
    connection.init_future.failure(errors.KafkaConnectionError("socket disconnected"))
    connection.close(refused := errors.SaslAuthenticationFailedError("no"))
    connection.close()
    assert "SaslAuthenticationFailedError" in str(watch.last)
    assert connection.closed_with == [refused, None]


def test_librdkafka_tells_by_its_callback_and_never_that_it_is_well() -> None:
    watch = Watch()
    watch.told(
        KafkaError(KafkaError._AUTHENTICATION, "a:1/bootstrap: SASL authentication error: no (after 3ms in state X)")
    )
    watch.told(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert tells(str(watch.last))
    assert sentence(watch.last, PLAIN) == "not authenticated: no; check sasl_username (me) and sasl_password"
    watch.well()
    assert watch.last is None


def test_what_shows_credentials_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """kafka-python quotes for debugging what it sends. Mutation: no filter."""
    caplog.set_level(logging.DEBUG)
    logs.set_up()
    logs.set_up()
    shown = SaslAuthenticateRequest(f"me\0me\0{PLANTED}".encode())
    for name in ("kafka.net.connection", "kafka.protocol.parser"):
        logging.getLogger(name).debug("%s Request %d: %s", "conn", 3, shown)
    logging.getLogger("kafka.protocol.parser").debug("%s Send: %r", "conn", bytearray(PLANTED.encode()))
    logging.getLogger("kafka.admin.client").debug("Starting with %s", {"sasl_plain_password": PLANTED})
    logging.getLogger("kafka.net.connection").debug("%s Request %d: %s", "conn", 4, "MetadataRequest")
    logging.getLogger("kafka.net.connection").error("%s lost", "conn")
    assert [record.getMessage() for record in caplog.records] == ["conn Request 4: MetadataRequest", "conn lost"]
    assert len(logging.getLogger("kafka.protocol.parser").filters) == 1
