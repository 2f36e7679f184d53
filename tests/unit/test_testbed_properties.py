"""The text of server.properties: what it says, and that Java reads back what was meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headrace_connectors.testbed.properties import BROKER, CONTROLLER, server_properties, text


def read_back(written: str) -> dict[str, str]:
    """As java.util.Properties reads: an escape stands for itself but for n, r, t and u."""
    found = {}
    for line in written.splitlines():
        key, value = re.fullmatch(r"((?:[^\\=]|\\.)*)=(.*)", line).groups()
        found[unescaped(key)] = unescaped(value.lstrip(" "))
    return found


def unescaped(word: str) -> str:
    marks = {"n": "\n", "r": "\r", "t": "\t"}
    units = re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) > 1 else marks.get(found[1], found[1]),
        word,
    )
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "-----BEGIN CERTIFICATE-----\nMIIB/+=\n-----END CERTIFICATE-----\n",
        "C:\\data\\logs",
        " leading and trailing ",
        "#not a comment !nor this",
        'user_shop="s3cret=1:2";',
        "tab\tand\rreturn",
        "Größe 🚰",
        "",
    ],
)
def test_java_reads_back_what_was_meant(value: str) -> None:
    meant = {"listener.name.x:y=z": value, "next": "untouched"}
    written = text(meant)
    assert written.isascii()
    assert read_back(written) == meant


def test_every_listener_is_on_loopback_and_all_but_the_controllers_are_told() -> None:
    found = server_properties(
        ports={BROKER: 1, CONTROLLER: 2, "TLS": 3}, protocols={"TLS": "SSL"}, data=Path("/data"), extra={}
    )
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2,TLS://127.0.0.1:3"
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1,TLS://127.0.0.1:3"
    assert found["listener.security.protocol.map"] == "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:2"
    assert found["log.dir"] == "/data"


def test_the_callers_properties_come_last() -> None:
    extra = {"offsets.topic.num.partitions": "50", "log.retention.ms": "1"}
    found = server_properties(ports={BROKER: 1, CONTROLLER: 2}, protocols={}, data=Path("/data"), extra=extra)
    assert extra.items() <= found.items()
