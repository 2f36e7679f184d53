"""How a cluster is reached, as a user writes it: servers, pairs, files, secrets; and as each client is told it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from kafka.net.manager import KafkaConnectionManager
from pydantic import SecretStr, ValidationError

from headrace import config
from headrace.config import explain
from headrace.errors import ConfigError
from headrace.plugins import Catalog
from headrace_connectors.kafka.clients import of_kafka_python, of_librdkafka
from headrace_connectors.kafka.connecting import KafkaSettings, section
from headrace_connectors.kafka.consistency import faults, warnings
from support.certificates import Authority
from support.fake_catalog import LOG, write
from support.messages import opening

PLANTED = "hunter2-planted-secret"
PLAIN: dict[str, Any] = {
    "bootstrap_servers": ["kafka:9093"],
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "me",
    "sasl_password": PLANTED,
}
TOKEN: dict[str, Any] = {
    "bootstrap_servers": ["kafka:9093"],
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "OAUTHBEARER",
    "sasl_oauthbearer_client_id": "shop",
    "sasl_oauthbearer_client_secret": PLANTED,
    "sasl_oauthbearer_scope": "kafka",
    "sasl_oauthbearer_token_endpoint_url": "https://login.example/token",
}


def settings(**given: Any) -> KafkaSettings:
    return KafkaSettings(**{"bootstrap_servers": ["kafka:9092"], **given})


def wrong(**given: Any) -> dict[str, str]:
    one = settings(**given)
    return {fault.path: fault.message for fault in faults(one, one)}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["a:1", "b.example:9092"], ["a:1", "b.example:9092"]),
        ("a:1, b-2:65535", ["a:1", "b-2:65535"]),
        (
            ["127.0.0.1:9092", "[::1]:9092", "[fe80::1%eth0]:9092"],
            ["127.0.0.1:9092", "[::1]:9092", "[fe80::1%eth0]:9092"],
        ),
        ("[2001:db8::1]:9092,a:1", ["[2001:db8::1]:9092", "a:1"]),
    ],
)
def test_servers(written: Any, meant: list[str]) -> None:
    assert KafkaSettings(bootstrap_servers=written).servers == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("kafka", "its server 1 of 1 has no port; write HOST:PORT, as localhost:9092 or [::1]:9092"),
        (["a:1", "b"], "its server 2 of 2 has no port"),
        ("a:1,", "its server 2 of 2 is none"),
        ([], "names no server"),
        ("", "names no server"),
        ("::1:9092", "its server 1 of 1 is none"),
        ("a:0", "has a port that does not exist"),
        ("a:65536", "has a port that does not exist"),
        ("PLAINTEXT://a:9092", "is a URL"),
        (f"me:{PLANTED}@a:9092", "holds a user or password"),
        ("a b:9092", "is none"),
    ],
)
def test_what_is_no_server_is_told_and_never_quoted(written: Any, said: str) -> None:
    """Mutation: the text in the message, which may hold a password."""
    with pytest.raises(ValidationError, match="bootstrap_servers") as caught:
        KafkaSettings(bootstrap_servers=written)
    (error,) = caught.value.errors()
    assert said in error["msg"]
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["login.example/token", "ftp://login.example", "https://", "https://a:b", "http://a b/"]
)
def test_a_token_endpoint_is_a_url(url: str) -> None:
    with pytest.raises(ValidationError, match="must be the URL of a token endpoint"):
        KafkaSettings(sasl_oauthbearer_token_endpoint_url=url)


def test_what_belongs_together() -> None:
    """All at once, each with its mend. Mutation: the first fault ends the search."""
    assert wrong() == {}
    assert wrong(**PLAIN) == {}
    assert wrong(**TOKEN) == {}
    assert wrong(security_protocol="SSL") == {}
    needs = "needs security_protocol: SASL_SSL (or SASL_PLAINTEXT, without TLS); set it, or take this out"
    assert wrong(**{**PLAIN, "security_protocol": "SSL"}) == dict.fromkeys(
        ["sasl_mechanism", "sasl_username", "sasl_password"], needs
    )
    assert list(wrong(security_protocol="SASL_SSL")) == ["sasl_mechanism"]
    assert wrong(security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512") == {
        "sasl_username": "is required with sasl_mechanism SCRAM-SHA-512",
        "sasl_password": "is required with sasl_mechanism SCRAM-SHA-512",
    }
    assert set(wrong(security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_username="me")) == {
        "sasl_oauthbearer_client_id",
        "sasl_oauthbearer_client_secret",
        "sasl_oauthbearer_token_endpoint_url",
        "sasl_username",
    }
    assert set(wrong(**PLAIN, sasl_oauthbearer_scope="x")) == {"sasl_oauthbearer_scope"}
    assert set(wrong(ssl_check_hostname=False, ssl_password="x")) == {"ssl_check_hostname", "ssl_password"}
    assert set(wrong(bootstrap_servers=None, sasl_username="me")) == {"bootstrap_servers", "sasl_username"}


def test_files_must_be_there_and_hold_what_they_should(tmp_path: Path) -> None:
    """A key asks nobody for its password on the terminal. Mutation: no password given, and pytest hangs there."""
    authority = Authority(tmp_path)
    client, other = authority.issue("client", password=PLANTED), authority.issue("other")
    tls: dict[str, Any] = {
        "security_protocol": "SSL",
        "ssl_cafile": str(authority.pair.certificate),
        "ssl_certfile": str(client.certificate),
        "ssl_keyfile": str(client.key),
        "ssl_password": PLANTED,
    }
    assert wrong(**tls) == {}
    assert wrong(**{**tls, "ssl_password": "other"}) == {
        "ssl_password": "does not open the key in ssl_keyfile, or one of the two files is not in PEM form"
    }
    assert wrong(**{**tls, "ssl_password": None}) == {
        "ssl_keyfile": "is encrypted (set ssl_password), or it or ssl_certfile is not in PEM form"
    }
    assert wrong(**{**tls, "ssl_keyfile": str(other.key)}) == {
        "ssl_keyfile": "does not belong to the certificate in ssl_certfile; name that certificate's key"
    }
    assert set(wrong(**{**tls, "ssl_certfile": None})) == {"ssl_certfile"}
    assert set(wrong(**{**tls, "ssl_keyfile": None})) == {"ssl_keyfile", "ssl_password"}
    assert wrong(
        **{**tls, "ssl_cafile": str(client.key), "ssl_keyfile": str(tmp_path), "ssl_certfile": "none.pem"}
    ) == {
        "ssl_cafile": "holds no certificate in PEM form; name the file of the authorities' certificates",
        "ssl_keyfile": "is a folder; name a file",
        "ssl_certfile": "there is no such file; correct the path",
    }


def test_a_section_holds_defaults_and_a_mapping_may_differ() -> None:
    """Mutation: the section's user is a fault of a mapping that reaches a cluster without one."""
    common = KafkaSettings(**PLAIN, client_id="shop")
    own = KafkaSettings(bootstrap_servers="localhost:1", security_protocol="PLAINTEXT")
    effective = own.over(common)
    assert (effective.servers, effective.protocol, effective.client_id) == (["localhost:1"], "PLAINTEXT", "shop")
    assert list(faults(own, effective)) == []
    assert "sasl.username" not in of_librdkafka(effective)
    assert "sasl_plain_username" not in of_kafka_python(effective)


def test_a_fault_of_an_inherited_value_says_where_it_stands() -> None:
    own = KafkaSettings(bootstrap_servers="localhost:1")
    (fault,) = faults(own, own.over(KafkaSettings(security_protocol="SSL", ssl_cafile="none.pem")), "source")
    assert str(fault) == "source.ssl_cafile: there is no such file; correct the path; it comes from the section kafka"


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    """Mutation: the section's relative to the mapping's file, or to the process."""
    own = KafkaSettings(ssl_certfile="client.pem", ssl_keyfile="/etc/client.key")
    around = opening(
        options=own,
        folder=tmp_path / "mappings",
        sections={"kafka": KafkaSettings(ssl_cafile="ca.pem", ssl_certfile="not-this.pem")},
        section_folders={"kafka": tmp_path / "common"},
    )
    found = own.connection(around)
    assert found.ssl_certfile == str(tmp_path / "mappings/client.pem")
    assert found.ssl_keyfile == "/etc/client.key"
    assert found.ssl_cafile == str(tmp_path / "common/ca.pem")
    assert section(replace(around, sections={})) == KafkaSettings()


def test_kafka_python_is_told_all(tmp_path: Path) -> None:
    given: dict[str, Any] = dict.fromkeys(("ssl_cafile", "ssl_certfile", "ssl_keyfile"), "x.pem")
    told = of_kafka_python(settings(**PLAIN | given, ssl_password=PLANTED, ssl_check_hostname=False, client_id="shop"))
    assert told == {
        "bootstrap_servers": ["kafka:9093"],
        "client_id": "shop",
        "security_protocol": "SASL_SSL",
        "ssl_cafile": "x.pem",
        "ssl_certfile": "x.pem",
        "ssl_keyfile": "x.pem",
        "ssl_password": PLANTED,
        "ssl_check_hostname": False,
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": PLANTED,
    }
    assert told.keys() <= KafkaConnectionManager.DEFAULT_CONFIG.keys()
    assert of_kafka_python(settings(**TOKEN)).keys() <= KafkaConnectionManager.DEFAULT_CONFIG.keys()
    assert of_kafka_python(settings(security_protocol="SSL", ssl_certfile="c", ssl_keyfile="k"))["ssl_password"] == ""
    assert of_kafka_python(settings()) == {
        "bootstrap_servers": ["kafka:9092"],
        "client_id": "headrace",
        "security_protocol": "PLAINTEXT",
    }


def test_librdkafka_is_told_all() -> None:
    """librdkafka itself refuses a name that it does not know."""
    told = of_librdkafka(settings(**{**PLAIN, "bootstrap_servers": "a:1,[::1]:2"}, ssl_check_hostname=False))
    assert told == {
        "bootstrap.servers": "a:1,[::1]:2",
        "client.id": "headrace",
        "security.protocol": "SASL_SSL",
        "ssl.endpoint.identification.algorithm": "none",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "me",
        "sasl.password": PLANTED,
    }
    told = of_librdkafka(settings(**TOKEN, https_ca_location="ca.pem", ssl_cafile="b.pem"))
    assert told == {
        "bootstrap.servers": "kafka:9093",
        "client.id": "headrace",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": "b.pem",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "shop",
        "sasl.oauthbearer.client.secret": PLANTED,
        "sasl.oauthbearer.scope": "kafka",
        "sasl.oauthbearer.token.endpoint.url": "https://login.example/token",
        "https.ca.location": "ca.pem",
    }


def test_librdkafka_takes_what_it_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("client", password=PLANTED)
    tls = {
        "ssl_cafile": str(authority.pair.certificate),
        "ssl_certfile": str(client.certificate),
        "ssl_keyfile": str(client.key),
        "ssl_password": PLANTED,
        "ssl_check_hostname": False,
    }
    for given in (PLAIN | tls, TOKEN, {"client_id": "x"}):
        AdminClient({**of_librdkafka(settings(**{**given, "bootstrap_servers": "127.0.0.1:1"})), "log_level": 0})


def test_what_is_dangerous() -> None:
    readable = {**PLAIN, "security_protocol": "SASL_PLAINTEXT"}
    assert [one.path for one in warnings(settings(**readable), "source")] == ["source.security_protocol"]
    for near in ("127.0.0.1:1", "[::1]:1", "localhost:1"):
        assert list(warnings(settings(**{**readable, "bootstrap_servers": near}))) == []
    assert [one.path for one in warnings(settings(**{**PLAIN, "ssl_check_hostname": False}))] == ["ssl_check_hostname"]
    assert list(warnings(settings(**PLAIN))) == []


# A whole config


class Options(KafkaSettings):
    topic: str


CATALOG = Catalog(
    connectors=[
        replace(
            LOG,
            type="kafka",
            options=Options,
            check=lambda opening: faults(opening.options, opening.options.connection(opening), "source"),
        )
    ],
    sections={"kafka": KafkaSettings},
)
CONFIG = """\
service: {name: shop}
kafka:
  bootstrap_servers: kafka:9093
  security_protocol: SASL_SSL
  sasl_mechanism: OAUTHBEARER
  sasl_oauthbearer_client_id: shop
  sasl_oauthbearer_token_endpoint_url: https://login.example/token
  sasl_oauthbearer_client_secret: hunter2-planted-secret
  ssl_cafile: ca.pem
functions: {f: {handler: a.b}}
mappings:
  orders:
    source: {type: kafka, topic: a, ssl_keyfile: c.key, ssl_certfile: c.pem, ssl_password: "${KEY}"}
    function: f
"""


def test_a_config_with_a_section_and_its_explanation(tmp_path: Path) -> None:
    """Secrets are masked, and the token endpoint, which is none, is not. Mutations: plain texts for SecretStr; what has
    `token` in its name is a secret."""
    authority = Authority(tmp_path)
    client = authority.issue("c", password=PLANTED)
    assert client.certificate.name == "c.pem"
    loaded = config.load([write(tmp_path, CONFIG)], CATALOG, {"KEY": PLANTED})
    rows = {row.path: row for row in explain.rows(loaded)}
    assert PLANTED not in str(rows)
    assert PLANTED not in repr(loaded)
    inherited = rows["mappings.orders.source.sasl_oauthbearer_token_endpoint_url"]
    assert (inherited.value, inherited.place[-1]) == ("https://login.example/token", "7")
    assert rows["kafka.sasl_oauthbearer_client_secret"].value == "***"
    assert rows["mappings.orders.source.ssl_password"].value == "${KEY}"
    connection = loaded.mappings["orders"].options.connection(loaded.opening("orders"))  # type: ignore[attr-defined]
    assert connection.sasl_oauthbearer_client_secret == SecretStr(PLANTED)
    assert connection.ssl_cafile == str(tmp_path / "ca.pem")


def test_faults_of_a_config_hold_no_secret(tmp_path: Path) -> None:
    text = CONFIG.replace("SASL_SSL", "SSL").replace("kafka:9093", f'["{PLANTED}"]').replace("c.pem", f"{PLANTED}.pem")
    with pytest.raises(ConfigError) as caught:
        config.load([write(tmp_path, text)], CATALOG, {"KEY": PLANTED})
    assert "kafka.bootstrap_servers: its server 1 of 1 has no port" in str(caught.value)
    assert PLANTED not in str(caught.value)
