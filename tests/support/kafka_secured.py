"""An Apache Kafka that asks who comes: TLS, client certificates, every SASL mechanism; each on a listener of its own.

| listener | protocol | who may |
|---|---|---|
| TLS | SSL | all |
| MTLS | SSL | whose certificate is the authority's (`client`) |
| SASL | SASL_PLAINTEXT | USER with PASSWORD (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512); whoever has a token (OAUTHBEARER) |
| SASLTLS | SASL_SSL | as SASL |

Who may come may do anything, but for a topic that has ACLs: there they alone hold. PLAINTEXT is there as well, for the
tests' own topics. Tokens are unsecured ones, without a signature, as token_endpoint.py gives them: Kafka looks at their
time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kafka.admin import KafkaAdminClient, UserScramCredentialUpsertion

from headrace_connectors.testbed.apache import ApacheKafka
from headrace_connectors.testbed.properties import BROKER
from support import kafka
from support.certificates import Authority, Pair

USER, PASSWORD = "shop", "s3cret, of the shop"
PROTOCOLS = {"TLS": "SSL", "MTLS": "SSL", "SASL": "SASL_PLAINTEXT", "SASLTLS": "SASL_SSL"}
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_LOGIN = "org.apache.kafka.common.security"
_JAAS = {
    "plain": f'{_LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    **{mechanism.lower(): f"{_LOGIN}.scram.ScramLoginModule required;" for mechanism in _SCRAM},
    "oauthbearer": f'{_LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
}


@dataclass(frozen=True)
class Secured:
    """Where the listeners are, by their names, and the PEM files that a client needs."""

    addresses: Mapping[str, str]
    ca: Path
    client: Pair

    @property
    def plain(self) -> kafka.Cluster:
        return kafka.Cluster(self.addresses[BROKER])


class SecuredKafka(ApacheKafka):
    """`folder` gets the certificates; the broker's data goes with the broker."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.ca = authority.pair.certificate
        self.client = authority.issue("client")
        server = authority.issue("broker", "IP:127.0.0.1", "DNS:localhost")
        super().__init__(kafka.prepared(), listeners=PROTOCOLS, properties=_properties(self.ca, server) | kafka.STEADY)

    def start(self) -> Self:
        super().start()
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            for mechanism in _SCRAM:  # one request for both is refused
                told = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, mechanism, PASSWORD)])
                assert not any(told.values()), told
        finally:
            admin.close()
        return self


def _properties(ca: Path, server: Pair) -> dict[str, str]:
    found = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
    }
    for name, protocol in PROTOCOLS.items():
        where = f"listener.name.{name.lower()}"
        if protocol.endswith("SSL"):
            found |= {
                f"{where}.ssl.keystore.type": "PEM",
                f"{where}.ssl.keystore.certificate.chain": server.certificate.read_text(),
                f"{where}.ssl.keystore.key": server.key.read_text(),
            }
        if protocol.startswith("SASL"):
            found[f"{where}.sasl.enabled.mechanisms"] = ",".join(map(str.upper, _JAAS))
            found |= {f"{where}.{mechanism}.sasl.jaas.config": jaas for mechanism, jaas in _JAAS.items()}
    asking = "listener.name.mtls.ssl"
    return found | {
        f"{asking}.client.auth": "required",
        f"{asking}.truststore.type": "PEM",
        f"{asking}.truststore.certificates": ca.read_text(),
    }


@contextmanager
def shared(folder: Path) -> Iterator[Secured]:
    """One for all processes that name the same folder."""

    @contextmanager
    def broker() -> Iterator[dict[str, str]]:
        with SecuredKafka(folder / "certificates") as secured:
            yield {name: secured.address(name) for name in secured.ports}

    with kafka.shared(folder, "secured", broker) as addresses:
        certificates = folder / "certificates"
        yield Secured(
            addresses=addresses,
            ca=certificates / "ca.pem",
            client=Pair(certificates / "client.pem", certificates / "client.key"),
        )
