"""The settings of an Apache Kafka that is broker and controller in one, on loopback: text of server.properties."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from headrace_connectors.testbed.server import LOOPBACK

BROKER, CONTROLLER = "PLAINTEXT", "CONTROLLER"
"""The names of the two listeners that are always there; neither asks who comes."""

_SMALL = {
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": str(4 * 2**20),  # 128 MiB otherwise, taken at the start
    "num.network.threads": "2",
    "num.io.threads": "4",
}
_PROMPT = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "4000",  # a broker that was killed is let in again only when its session has ended
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",  # a topic's name with a slip in it is an error, as on most clusters
}


def server_properties(
    *, ports: Mapping[str, int], protocols: Mapping[str, str], data: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """`ports`: of each listener by its name. `protocols`: of those that are not PLAINTEXT. `extra` overrides."""
    places = {name: f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()}
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports[CONTROLLER]}",
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": BROKER,
        "listeners": ",".join(places.values()),
        "advertised.listeners": ",".join(place for name, place in places.items() if name != CONTROLLER),
        "listener.security.protocol.map": ",".join(f"{name}:{protocols.get(name, 'PLAINTEXT')}" for name in ports),
        "log.dir": str(data),
        **_SMALL,
        **_PROMPT,
        **extra,
    }


def text(properties: Mapping[str, str]) -> str:
    """A properties file as Java reads it back: a PEM's line ends and a path's backslashes stay what they are."""
    return "".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in properties.items())


def _escaped(word: str) -> str:
    marks = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "=": "\\=", ":": "\\:", "#": "\\#", "!": "\\!"}
    safe = "".join(marks.get(sign, sign) for sign in word)
    leading = "\\" if safe.startswith(" ") else ""
    return leading + "".join(sign if sign.isascii() else _unicode(sign) for sign in safe)


def _unicode(sign: str) -> str:
    units = sign.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
