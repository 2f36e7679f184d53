"""One question to a Kafka broker in the protocol's own bytes: who belongs to the cluster?

With no client library, whose own start takes longer than the answer.
"""

from __future__ import annotations

import socket
import struct

from headrace_connectors.testbed.server import LOOPBACK

_METADATA, _VERSION, _SAME = 3, 1, 7
_CLIENT = b"headrace"
_PATIENCE = 5.0


def brokers(port: int) -> int:
    """How many brokers the cluster has. An open port is not yet a broker: it belongs to none while it registers.

    Raises:
        OSError: none yet, or no answer.
    """
    request = struct.pack(f">hhih{len(_CLIENT)}si", _METADATA, _VERSION, _SAME, len(_CLIENT), _CLIENT, 0)
    with socket.create_connection((LOOPBACK, port), timeout=_PATIENCE) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _exactly(connection, 4))
        same, count = struct.unpack_from(">ii", _exactly(connection, size))
    if same != _SAME:
        raise ConnectionError("what answers is no Kafka broker")
    if count < 1:
        raise ConnectionError("the broker is not registered yet")
    return int(count)


def _exactly(connection: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        part = connection.recv(size - len(got))
        if not part:
            raise ConnectionError("the connection was closed before an answer")
        got += part
    return bytes(got)
