"""How a Kafka cluster is reached: servers, TLS, SASL. The same words for the source, the destination and `kafka:`.

Names are Kafka's and librdkafka's, in snake case. What only several values together show is said of the effective
ones (`faults`, `warnings`): a mapping may bring what the section leaves open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from headrace.plugins import Opening
from headrace.settings import Settings

Protocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1)]

SECTION: Final = "kafka"
"""The section of the config that holds defaults for every Kafka source and destination."""

FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "https_ca_location")

_SERVER: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\s:\[\]/@,]+):(?P<port>[0-9]{1,5})", re.ASCII)
_FORM: Final = "write HOST:PORT, as localhost:9092 or [::1]:9092"
_LAST_PORT: Final = 65535


def _servers(value: list[str] | str | None) -> list[str] | None:
    """The servers one by one. None of them is quoted: what was pasted there may be a secret."""
    if value is None:
        return None
    found = [one.strip() for one in (value.split(",") if isinstance(value, str) else value)]
    if not any(found):
        raise ValueError(f"names no server; {_FORM}")
    for number, one in enumerate(found, 1):
        if fault := _wrong_with(one):
            raise ValueError(f"its server {number} of {len(found)} {fault}; {_FORM}")
    return found


def _wrong_with(server: str) -> str:
    if "://" in server:
        return "is a URL"
    if "@" in server:
        return "holds a user or password, which belong in sasl_username and sasl_password"
    parts = _SERVER.fullmatch(server)
    if parts is None:
        return "has no port" if re.fullmatch(r"[\w.-]+", server) else "is none"
    return "" if 0 < int(parts["port"]) <= _LAST_PORT else "has a port that does not exist"


def _endpoint(url: str | None) -> str | None:
    if url is not None:
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good or re.search(r"\s", url):
            raise ValueError("must be the URL of a token endpoint: https://HOST/PATH")
        if "@" in parts.netloc:
            raise ValueError(
                "must not hold a user or password: write sasl_oauthbearer_client_id and sasl_oauthbearer_client_secret"
            )
    return url


class KafkaSettings(Settings):
    """Where, how and as whom a Kafka cluster is reached."""

    bootstrap_servers: Annotated[list[str] | str | None, AfterValidator(_servers)] = Field(
        None,
        description="The servers that are asked first: a list of HOST:PORT, or one text with commas. Default: those of "
        "the section kafka.",
    )
    client_id: str | None = Field(
        None, min_length=1, max_length=255, description="Names us in the brokers' logs and quotas; default: headrace."
    )
    security_protocol: Protocol | None = Field(
        None, description="Whether TLS (SSL) and whether credentials (SASL); default: PLAINTEXT, neither."
    )
    sasl_mechanism: Mechanism | None = Field(None, description="How credentials are shown. Required with SASL.")
    sasl_username: str | None = Field(None, min_length=1, description="Of PLAIN and SCRAM.")
    sasl_password: Secret | None = Field(None, description="Of PLAIN and SCRAM.")
    sasl_oauthbearer_client_id: str | None = Field(None, min_length=1, description="Of OAUTHBEARER: who asks.")
    sasl_oauthbearer_client_secret: Secret | None = Field(None, description="Of OAUTHBEARER: the client's secret.")
    sasl_oauthbearer_scope: str | None = Field(None, min_length=1, description="Of OAUTHBEARER: what is asked for.")
    sasl_oauthbearer_token_endpoint_url: Annotated[str | None, AfterValidator(_endpoint)] = Field(
        None, description="Of OAUTHBEARER: where the client's credentials are given for a token (OIDC)."
    )
    https_ca_location: str | None = Field(
        None,
        min_length=1,
        description="PEM file of the authorities that the token endpoint's certificate is trusted by; default: the "
        "system's. Relative to the config file.",
    )
    ssl_cafile: str | None = Field(
        None,
        min_length=1,
        description="PEM file of the authorities that brokers' certificates are trusted by; default: the system's. "
        "Relative to the config file.",
    )
    ssl_certfile: str | None = Field(
        None, min_length=1, description="PEM file of the client's certificate. Relative to the config file."
    )
    ssl_keyfile: str | None = Field(
        None, min_length=1, description="PEM file of the key of ssl_certfile. Relative to the config file."
    )
    ssl_password: Secret | None = Field(None, description="Of the key in ssl_keyfile, if it is encrypted.")
    ssl_check_hostname: bool | None = Field(
        None, description="Whether a broker's certificate must name its host; default: true."
    )

    @property
    def servers(self) -> list[str]:
        return self.bootstrap_servers if isinstance(self.bootstrap_servers, list) else []

    @property
    def protocol(self) -> Protocol:
        return self.security_protocol or "PLAINTEXT"

    @property
    def with_tls(self) -> bool:
        return self.protocol.endswith("SSL")

    @property
    def with_sasl(self) -> bool:
        return self.protocol.startswith("SASL_")

    def given(self) -> set[str]:
        """The names of those that are set."""
        return {name for name in KafkaSettings.model_fields if getattr(self, name) is not None}

    def over(self, defaults: KafkaSettings) -> KafkaSettings:
        """These settings, with *defaults* where nothing was set."""
        return KafkaSettings(**{**_of(defaults, defaults.given()), **_of(self, self.given())})

    def under(self, folder: Path) -> Self:
        """The same, with relative paths as they are meant in *folder*."""
        given = self.given()
        return self.model_copy(update={name: str(folder / getattr(self, name)) for name in FILES if name in given})

    def connection(self, opening: Opening) -> KafkaSettings:
        """A source's own settings, then the config's, with whole paths."""
        return self.under(opening.folder).over(section(opening))


def section(opening: Opening) -> KafkaSettings:
    """The config's section, with whole paths."""
    found = opening.sections.get(SECTION)
    folder = opening.section_folders.get(SECTION, opening.folder)
    return found.under(folder) if isinstance(found, KafkaSettings) else KafkaSettings()


def _of(settings: KafkaSettings, names: Iterable[str]) -> dict[str, object]:
    return {name: getattr(settings, name) for name in names}
