"""Ports of the testbed's servers: nobody else's while they are held, and nothing is left of what never started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from headrace.errors import ServerUnavailable
from headrace_connectors.testbed.server import LOOPBACK, held_ports
from support.processes import PROC
from support.redis import Valkey

linux = pytest.mark.skipif(not PROC.exists(), reason="elsewhere a port that is held is a taken one")


def given_to_another(port: int) -> bool:
    """Whether the system gives it to who does not share."""
    with socket.socket() as other:
        try:
            other.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


@linux
def test_a_port_that_is_held_refuses_until_its_owner_listens() -> None:
    """Catches: a number that was free once, and is another's before it is used."""
    with held_ports(2) as (one, two):
        assert one != two
        assert not given_to_another(one)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, one))
        with socket.create_server((LOOPBACK, one)):
            socket.create_connection((LOOPBACK, one)).close()
        assert not given_to_another(one)


@linux
def test_the_port_of_a_server_that_is_down_is_its_own() -> None:
    """Catches: a server that cannot be started again, for another took its port while it was down."""
    with Valkey() as server:
        port = server.port
        server.stop()
        assert not given_to_another(port)
        server.start()
        assert server.port == port
        server.kill()


def test_of_a_server_that_never_started_nothing_is_left() -> None:
    """Catches: a folder, and ports, that nobody ends: pytest made them a failure of the next test."""
    server = Valkey()
    server.executable = Path("/bin/false")
    folder = server.folder
    with pytest.raises(ServerUnavailable, match="ended with status 1"):
        server.start()
    assert not folder.exists()
    assert server.port == 0
