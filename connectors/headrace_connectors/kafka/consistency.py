"""What is wrong with settings that reach a cluster only together: pairs that do not belong together, files."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headrace.errors import Fault
from headrace_connectors.kafka.connecting import FILES, SECTION, KafkaSettings
from headrace_connectors.loopback import is_loopback

_PASSWORD: Final = ("sasl_username", "sasl_password")
_TOKEN: Final = (
    "sasl_oauthbearer_client_id",
    "sasl_oauthbearer_client_secret",
    "sasl_oauthbearer_token_endpoint_url",
)
_OF_TOKEN: Final = (*_TOKEN, "sasl_oauthbearer_scope", "https_ca_location")
_OF_TLS: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_check_hostname")


def faults(own: KafkaSettings, effective: KafkaSettings, path: str = "") -> Iterator[Fault]:
    """Every one, with its mend. *own* is what the block at *path* says itself, *effective* what holds for it.

    A default that the block has no use for is none: its own `security_protocol` may differ from the section's.
    """
    given = effective.given()
    idle = given - own.given() if own.given() & {"security_protocol", "sasl_mechanism"} else set()
    for name, message in _of_names(effective, given - idle):
        inherited = name in given and name not in own.given()
        where = f"{path}.{name}" if path else name
        yield Fault(where, f"{message}; it comes from the section {SECTION}" if inherited else message)


def _of_names(settings: KafkaSettings, given: set[str]) -> Iterator[tuple[str, str]]:
    if not settings.servers:
        yield "bootstrap_servers", f"is required, here or in the section {SECTION}: a list of HOST:PORT"
    yield from _credentials(settings, given)
    yield from _certificates(settings, given)


def _credentials(settings: KafkaSettings, given: set[str]) -> Iterator[tuple[str, str]]:
    if not settings.with_sasl:
        for name in _among(given, ("sasl_mechanism", *_PASSWORD, *_OF_TOKEN)):
            yield name, "needs security_protocol: SASL_SSL (or SASL_PLAINTEXT, without TLS); set it, or take this out"
        return
    mechanism = settings.sasl_mechanism
    if mechanism is None:
        yield (
            "sasl_mechanism",
            f"is required with security_protocol {settings.protocol}: one that the brokers' listener takes",
        )
        return
    needed, foreign = (_TOKEN, _PASSWORD) if mechanism == "OAUTHBEARER" else (_PASSWORD, _OF_TOKEN)
    for name in needed:
        if getattr(settings, name) is None:
            yield name, f"is required with sasl_mechanism {mechanism}"
    for name in _among(given, foreign):
        yield name, f"means nothing with sasl_mechanism {mechanism}; take it out, or correct the mechanism"


def _certificates(settings: KafkaSettings, given: set[str]) -> Iterator[tuple[str, str]]:
    if not settings.with_tls:
        for name in _among(given, _OF_TLS):
            yield name, "needs security_protocol: SSL, or SASL_SSL with credentials; set it, or take this out"
    missing = set[str]()
    for name in _among(given, FILES):
        if message := _unusable(Path(getattr(settings, name))):
            missing.add(name)
            yield name, message
    if settings.ssl_certfile and not settings.ssl_keyfile:
        yield "ssl_keyfile", "is required with ssl_certfile: its key; the same file, if that holds both"
    if settings.ssl_keyfile and not settings.ssl_certfile:
        yield "ssl_certfile", "is required with ssl_keyfile: the key alone shows nobody who we are"
    if settings.ssl_password and not settings.ssl_keyfile and "ssl_password" in given:
        yield "ssl_password", "is of the key in ssl_keyfile, and there is none; name it, or take this out"
    yield from _contents(settings, given - missing)


def _unusable(path: Path) -> str:
    try:
        if not path.is_file():
            return "is a folder; name a file" if path.is_dir() else "there is no such file; correct the path"
        return "" if os.access(path, os.R_OK) else "this user may not read the file; change its rights"
    except (OSError, ValueError) as error:
        return f"cannot be looked at: {error}"


def _contents(settings: KafkaSettings, given: set[str]) -> Iterator[tuple[str, str]]:
    """Whether the files hold what they should, as OpenSSL reads them."""
    for name in _among(given, ("ssl_cafile", "https_ca_location")):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(getattr(settings, name))
        except (ssl.SSLError, OSError):
            yield name, "holds no certificate in PEM form; name the file of the authorities' certificates"
    if {"ssl_certfile", "ssl_keyfile"} <= given:
        password = settings.ssl_password.get_secret_value() if settings.ssl_password else ""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            # with no password at all, OpenSSL would ask for it on the terminal
            context.load_cert_chain(str(settings.ssl_certfile), str(settings.ssl_keyfile), password=password)
        except (ssl.SSLError, OSError, ValueError) as error:
            yield _wrong_pair(str(error), encrypted=bool(settings.ssl_password))


def _wrong_pair(said: str, *, encrypted: bool) -> tuple[str, str]:
    if "KEY_VALUES_MISMATCH" in said:
        return "ssl_keyfile", "does not belong to the certificate in ssl_certfile; name that certificate's key"
    if encrypted:
        return "ssl_password", "does not open the key in ssl_keyfile, or one of the two files is not in PEM form"
    return "ssl_keyfile", "is encrypted (set ssl_password), or it or ssl_certfile is not in PEM form"


def warnings(effective: KafkaSettings, path: str = "") -> Iterator[Fault]:
    """Legal, but dangerous."""
    before = f"{path}." if path else ""
    readable = effective.sasl_mechanism in {"PLAIN", "OAUTHBEARER"} and effective.protocol == "SASL_PLAINTEXT"
    if readable and not all(is_loopback(_host(server)) for server in effective.servers):
        yield Fault(
            f"{before}security_protocol", "the credentials go over the network for everybody to read; use SASL_SSL"
        )
    if effective.with_tls and effective.ssl_check_hostname is False:
        yield Fault(
            f"{before}ssl_check_hostname",
            "without this check whoever has any certificate of a trusted authority may pass for a broker",
        )


def _host(server: str) -> str:
    return server.rpartition(":")[0].strip("[]").partition("%")[0]


def _among(given: set[str], names: tuple[str, ...]) -> list[str]:
    """In the order of *names*."""
    return [name for name in names if name in given]
