"""The cluster that other tests use: no port that another took keeps it from its work, and nothing is left of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed.server import taken
from support.redis import Cluster, Node, Valkey


def test_a_bus_that_another_takes_first_is_replaced() -> None:
    """Catches: the port plus 10000, which nobody looked at before; MEET without the bus, which then is not found."""
    cluster = Cluster()
    with Valkey() as other:
        cluster.nodes[1] = Unlucky(other.port)
        with cluster:
            buses = [node.ports["bus"] for node in cluster.nodes]
            assert all(map(taken, buses))
            assert len({other.port, *buses}) == 4
            assert "cluster_known_nodes:3" in cluster.nodes[1].ask("CLUSTER", "INFO")


class Unlucky(Node):
    """Its first bus is another's by the time that it is used."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self._lost = [lost]

    def _free_ports(self) -> list[int]:
        port, bus = super()._free_ports()
        return [port, self._lost.pop() if self._lost else bus]


def test_of_a_cluster_that_cannot_start_nothing_goes_on_running() -> None:
    """Catches: nodes left running, whose sockets then were a failure of whatever test came next."""
    cluster = Cluster()
    cluster.nodes[2].executable = Path("/bin/false")
    with pytest.raises(ServerUnavailable, match="ended with status 1"), cluster:
        pass
    for node in cluster.nodes:
        with pytest.raises(RuntimeError, match="not running"):
            assert node.pid
