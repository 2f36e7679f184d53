"""TLS, client certificates and SASL against Apache Kafka, by both clients: let in, or told why not in one sentence."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from headrace.destination import CONFIRMED, PATIENCE, Reply, Said
from headrace_connectors.kafka.clients import of_kafka_python, of_librdkafka
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.logs import LIBRDKAFKA
from headrace_connectors.kafka.producer import Producer
from headrace_connectors.kafka.refusals import sentence, tells, words
from headrace_connectors.kafka.topics import Refused, look_up
from headrace_connectors.kafka.watching import Watch
from headrace_connectors.testbed.apache import ApacheKafka
from support.certificates import Authority, Pair
from support.kafka import apache, why_not_apache
from support.messages import message
from support.token_endpoint import CLIENT_ID, TokenEndpoint
from support.token_endpoint import CLIENT_SECRET as SECRET

PASSWORD = "planted-password"
WRONG = "planted-wrong-password"
ENOUGH = 3.0
"""Seconds that a client tries at least: kafka-python in each case but the good ones."""

SILENCE = 6.0
"""Seconds after which what was told no reason is told that there was no answer: a busy broker is slow to give one."""

_JAAS = "org.apache.kafka.common.security"
_PLAIN = f'{_JAAS}.plain.PlainLoginModule required user_me="{PASSWORD}";'


@dataclass(frozen=True)
class Setting:
    """A broker with all listeners, and what belongs to it."""

    broker: ApacheKafka
    ours: Authority
    strange: Authority
    client: Pair
    stranger: Pair
    tokens: TokenEndpoint

    def at(self, listener: str, **given: Any) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=self.broker.address(listener), **given)

    def tls(self, listener: str, client: Pair | None = None, **given: Any) -> KafkaSettings:
        pair = {"ssl_certfile": str(client.certificate), "ssl_keyfile": str(client.key)} if client else {}
        trusted = {"ssl_cafile": str(self.ours.pair.certificate)}
        return self.at(listener, **{"security_protocol": "SSL", **trusted, **pair, **given})

    def sasl(self, mechanism: str, password: str = PASSWORD, user: str = "me", listener: str = "SASL") -> KafkaSettings:
        login = {"sasl_mechanism": mechanism, "sasl_username": user, "sasl_password": password}
        return self.at(listener, security_protocol="SASL_PLAINTEXT", **login)

    def oauth(self, secret: str = SECRET) -> KafkaSettings:
        return self.at(
            "OAUTH",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauthbearer_client_id=CLIENT_ID,
            sasl_oauthbearer_client_secret=secret,
            sasl_oauthbearer_scope="kafka",
            sasl_oauthbearer_token_endpoint_url=self.tokens.url,
        )


def keystore(folder: Path, authority: Authority, pair: Pair) -> str:
    path = folder / f"{pair.key.stem}-store.pem"
    path.write_text("".join(one.read_text() for one in (pair.key, pair.certificate, authority.pair.certificate)))
    return str(path)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    if reason := why_not_apache():
        pytest.skip(f"needs Apache Kafka: {reason}")
    folder = tmp_path_factory.mktemp("tls")
    ours, strange = Authority(folder / "ours"), Authority(folder / "strange", "another")
    broker, other = ours.issue("broker", "DNS:localhost", "IP:127.0.0.1"), ours.issue("other", "DNS:elsewhere.example")
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": keystore(folder, ours, broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ours.pair.certificate),
        "listener.name.other.ssl.keystore.type": "PEM",
        "listener.name.other.ssl.keystore.location": keystore(folder, ours, other),
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.sasl.plain.sasl.jaas.config": _PLAIN,
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;",
        "listener.name.both.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.both.plain.sasl.jaas.config": _PLAIN,
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.oauth.oauthbearer.sasl.jaas.config": f"{_JAAS}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:me;User:{CLIENT_ID};User:CN=client",
    }
    listeners = {"TLS": "SSL", "OTHER": "SSL", "MUTUAL": "SSL", "BOTH": "SASL_SSL"}
    listeners |= {"SASL": "SASL_PLAINTEXT", "OAUTH": "SASL_PLAINTEXT"}
    with TokenEndpoint() as tokens, apache(listeners=listeners, properties=properties) as server:
        users = [("me", ScramMechanism.SCRAM_SHA_256), ("me", ScramMechanism.SCRAM_SHA_512)]
        users.append(("few", ScramMechanism.SCRAM_SHA_256))
        with KafkaAdminClient(bootstrap_servers=server.bootstrap_servers) as admin:
            for user, mechanism in users:  # Kafka takes one alteration of a user at a time
                one = UserScramCredentialUpsertion(user, mechanism, PASSWORD)
                assert admin.alter_user_scram_credentials([one]) == {user: None}
            admin.create_topics({"orders": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        yield Setting(server, ours, strange, ours.issue("client"), strange.issue("stranger"), tokens)


def heard(watch: Watch) -> bool:
    """Whether a reason was told."""
    return watch.last is not None and tells(watch.last)


def by_kafka_python(settings: KafkaSettings) -> str:
    """Empty when it was let in, else what a person reads."""
    watch, give_up = Watch(), time.monotonic() + SILENCE
    milliseconds = int(ENOUGH * 1000)
    while True:
        try:
            with KafkaAdminClient(
                **of_kafka_python(settings), kafka_client=watch.client, bootstrap_timeout_ms=milliseconds
            ) as admin:
                admin.list_topics()
        except Exception as error:
            watch.abandon()
            if tells(words(error)) or heard(watch) or time.monotonic() > give_up:
                return sentence(error, settings, watch.last)
        else:
            return ""


def by_librdkafka(settings: KafkaSettings) -> str:
    watch = Watch()
    told = {"error_cb": watch.told, "logger": LIBRDKAFKA}
    client = AdminClient({**of_librdkafka(settings), **told})
    give_up = time.monotonic() + SILENCE
    while True:
        client.poll(0.05)
        try:
            client.list_topics(timeout=0.2)
        except KafkaException as error:
            client.poll(0.05)
            if heard(watch) or time.monotonic() > give_up:  # it tries again, but its reason stays
                return sentence(error, settings, watch.last)
        else:
            return ""


@pytest.fixture(params=[by_kafka_python, by_librdkafka], ids=["kafka-python", "librdkafka"])
def said(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """The client's call; whatever it logs, on any level, no credential is in it."""
    caplog.set_level(logging.DEBUG)
    answers: list[str] = []

    def call(settings: KafkaSettings) -> str:
        answers.append(request.param(settings))
        return answers[-1]

    yield call
    for text in (*answers, *(record.getMessage() for record in caplog.records)):
        for secret in (PASSWORD, WRONG, SECRET, "Bearer ey"):
            assert secret not in text


USER = "; check sasl_username (me) and sasl_password"
CLIENT = "; check sasl_oauthbearer_client_id, sasl_oauthbearer_client_secret and sasl_oauthbearer_token_endpoint_url"


def test_with_nothing(setting: Setting, said: Any) -> None:
    assert said(setting.at("PLAINTEXT")) == ""


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_passwords(setting: Setting, said: Any, mechanism: str) -> None:
    """Mutations: a broker's last answer lost with the end of its stream; the time-out told in place of the reason."""
    assert said(setting.sasl(mechanism)) == ""
    why = "Authentication failed during authentication due to invalid credentials with SASL mechanism"
    why = "Authentication failed: Invalid username or password" if mechanism == "PLAIN" else f"{why} {mechanism}"
    assert said(setting.sasl(mechanism, WRONG)) == f"not authenticated: {why}{USER}"
    assert said(setting.sasl(mechanism, user="nobody")) == f"not authenticated: {why}{USER.replace('me)', 'nobody)')}"


def test_a_mechanism_that_the_user_or_the_listener_has_not(setting: Setting, said: Any) -> None:
    assert said(setting.sasl("SCRAM-SHA-512", user="few")).startswith("not authenticated: Authentication failed")
    told = said(setting.sasl("PLAIN", listener="OAUTH"))
    assert told.startswith("not authenticated: the broker does not take PLAIN at this port")
    told = said(setting.sasl("PLAIN", listener="PLAINTEXT"))
    assert told.startswith("not authenticated: the broker does not take PLAIN at this port")


def test_tokens(setting: Setting, said: Any) -> None:
    """The endpoint quotes the credentials. Mutation: its description told."""
    assert said(setting.oauth()) == ""
    assert setting.tokens.forms[-1] == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    refused = said(setting.oauth(WRONG))
    assert refused.startswith("not authenticated: the token endpoint refused the client: ")
    assert refused.endswith(f"invalid_client{CLIENT}")


def test_tokens_that_are_none(setting: Setting, said: Any) -> None:
    """Over, and missing."""
    setting.tokens.lifetime, before = -4000, setting.tokens.lifetime
    try:
        assert said(setting.oauth()).startswith("not authenticated: ")
        setting.tokens.instead = {}
        assert said(setting.oauth()).startswith("not authenticated: ")
    finally:
        setting.tokens.lifetime, setting.tokens.instead = before, None


def test_a_token_endpoint_that_is_away(setting: Setting, said: Any) -> None:
    away = setting.oauth().model_copy(update={"sasl_oauthbearer_token_endpoint_url": "http://127.0.0.1:1/token"})
    told = said(away)
    assert told.startswith("not authenticated: ")
    assert "onnect" in told
    assert told.endswith(CLIENT)


def test_tls(setting: Setting, said: Any) -> None:
    assert said(setting.tls("TLS")) == ""
    told = said(setting.tls("TLS", ssl_cafile=str(setting.strange.pair.certificate)))
    assert told.startswith("TLS: the broker's certificate is not trusted")
    told = said(setting.tls("TLS", ssl_cafile=None))
    assert told.startswith("TLS: the broker's certificate is not trusted")
    assert "ssl_cafile" in told


def test_a_certificate_for_another_host(setting: Setting, said: Any) -> None:
    assert "is for another host name" in said(setting.tls("OTHER"))
    assert said(setting.tls("OTHER", ssl_check_hostname=False)) == ""


def test_a_client_certificate(setting: Setting, said: Any, tmp_path: Path) -> None:
    assert said(setting.tls("MUTUAL", setting.client)) == ""
    encrypted = setting.ours.issue("encrypted", password=PASSWORD)
    assert said(setting.tls("MUTUAL", encrypted, ssl_password=PASSWORD)) == ""
    wanted = "TLS: the broker wants a client certificate; set ssl_certfile and ssl_keyfile"
    assert said(setting.tls("MUTUAL")) == wanted
    assert said(setting.tls("MUTUAL", setting.stranger)).startswith("TLS: the broker does not take our certificate")


def test_tls_with_a_password(setting: Setting, said: Any) -> None:
    login = {"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": PASSWORD}
    both = setting.tls("BOTH", security_protocol="SASL_SSL", **login)
    assert said(both) == ""
    wrong = setting.tls("BOTH", security_protocol="SASL_SSL", **{**login, "sasl_password": WRONG})
    assert said(wrong) == f"not authenticated: Authentication failed: Invalid username or password{USER}"


def test_another_protocol_than_the_listeners(setting: Setting, said: Any) -> None:
    where = {name: setting.broker.address(name) for name in ("PLAINTEXT", "TLS", "SASL", "BOTH")}
    assert said(setting.tls("PLAINTEXT")) == (
        f"cannot be reached at {where['PLAINTEXT']}: it does not speak TLS at this port; correct the port, or "
        "security_protocol"
    )
    wants = "no answer; is it up, or does it want TLS or credentials (security_protocol)?"
    assert said(setting.at("TLS")) == f"cannot be reached at {where['TLS']}: {wants}"
    assert said(setting.at("SASL")) == f"cannot be reached at {where['SASL']}: {wants}"
    assert said(setting.sasl("PLAIN", listener="BOTH")) == (
        f"cannot be reached at {where['BOTH']}: no answer; is it up, or does it want TLS (security_protocol: SASL_SSL)?"
    )


def test_nobody_there(said: Any) -> None:
    assert said(KafkaSettings(bootstrap_servers="127.0.0.1:1,localhost:1")) == (
        "cannot be reached at 127.0.0.1:1, localhost:1: connection refused; is it up, and are bootstrap_servers right?"
    )
    assert said(KafkaSettings(bootstrap_servers="kafka.invalid:9092")) == (
        "cannot be reached at kafka.invalid:9092: the host name is not known; are bootstrap_servers right?"
    )


def test_a_topic_without_an_acl(setting: Setting) -> None:
    with pytest.raises(Refused, match="not authorized for the topic; add an ACL that allows it to this principal few"):
        look_up("orders", setting.sasl("SCRAM-SHA-256", user="few"), ENOUGH)
    assert look_up("orders", setting.sasl("SCRAM-SHA-256"), ENOUGH).partitions == 1


def test_a_destination_says_it_too(setting: Setting) -> None:
    """Mutations: its time-out told; held for good though the password is right by now."""
    sent = [message("a", b"1")]

    def send(settings: KafkaSettings) -> Reply:
        producer = Producer("orders", settings)
        try:
            return producer.send(sent, time.monotonic() + PATIENCE)[0]
        finally:
            producer.close()

    wrong = send(setting.sasl("SCRAM-SHA-512", WRONG))
    assert wrong.said is Said.FAILED
    assert wrong.reason.startswith("not authenticated: Authentication failed")
    denied = send(setting.sasl("SCRAM-SHA-256", user="few"))
    assert (denied.said, denied.reason.partition(";")[0]) == (Said.FAILED, "not authorized for the topic")
    assert send(setting.sasl("SCRAM-SHA-512")) == CONFIRMED
    assert send(setting.tls("MUTUAL", setting.client)) == CONFIRMED


def test_a_consumer_is_let_in_the_same_way(setting: Setting) -> None:
    """What works for the admin client works for the source's. Mutation: arguments that only one of them knows."""
    for settings in (setting.tls("MUTUAL", setting.client), setting.sasl("SCRAM-SHA-512"), setting.oauth()):
        consumer = KafkaConsumer(**of_kafka_python(settings), kafka_client=Watch().client, enable_auto_commit=False)
        try:
            assert isinstance(consumer.topics(), set)
        finally:
            consumer.close()
