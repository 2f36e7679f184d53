"""What a client's connections said last: both clients try again in silence, and only their time-out is heard.

Each client is given a watch of its own: `kafka_client=watch.client` (kafka-python), or `error_cb=watch.told` and
`logger=LIBRDKAFKA` (confluent_kafka, which calls it within its `poll`).
"""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import Any

from kafka.errors import KafkaConnectionError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from headrace_connectors.kafka import logs
from headrace_connectors.kafka.refusals import tells, words

_LIBRDKAFKA = "librdkafka"
_DIRECT = "headrace-direct"


class Watch:
    """Of one client. An error that tells a reason stands until one that tells another, or until things are well."""

    def __init__(self) -> None:
        self._errors: dict[object, str] = {}
        self._lock = Lock()
        self._client: KafkaNetClient | None = None
        logs.set_up()

    @property
    def last(self) -> str | None:
        """The error's kind and words: an exception would hold its connection's socket."""
        with self._lock:
            return next(reversed(self._errors.values()), None)

    def told(self, error: object) -> None:
        """confluent_kafka's callback. It never says that things are well again: who has an answer calls `well`."""
        self._failed(_LIBRDKAFKA, error)

    def well(self) -> None:
        """An answer has come."""
        with self._lock:
            self._errors.clear()

    def client(self, **configs: Any) -> KafkaNetClient:
        """kafka-python's client, whose connections tell how they fare."""
        net = NetworkSelector(**configs)
        self._client = KafkaNetClient(net=net, manager=_Watched(net, self, configs))
        return self._client

    def abandon(self) -> None:
        """End what kafka-python leaves running of a client whose making has failed."""
        if self._client is not None:
            self._client.close()

    def follow(self, place: object, connection: Any) -> None:
        """Hear of a connection that is being made, on kafka-python's own thread."""
        close = connection.close

        def closing(error: Exception | None = None) -> None:
            """A broker that refuses answers and hangs up: where both come at once, only this is told of the answer."""
            if error is not None:
                self._failed(place, error)
            close(error)

        connection.close = closing
        connection.init_future.add_callback(lambda _: self._made(place))
        connection.init_future.add_errback(lambda error: self._failed(place, error))

    def _failed(self, place: object, error: object) -> None:
        said = words(error)
        with self._lock:
            if place not in self._errors or tells(said):
                self._errors.pop(place, None)
                self._errors[place] = said

    def _made(self, place: object) -> None:
        with self._lock:
            self._errors.pop(place, None)


class _Closing(KafkaNetSocket):  # type: ignore[misc]  # kafka ships no types
    """No proxy at all. kafka-python 3.0.12 leaves a socket open that could not be connected; this one closes it."""

    SCHEMES = (_DIRECT,)

    async def sock_connect(self, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise


class _Watched(KafkaConnectionManager):  # type: ignore[misc]  # as above
    def __init__(self, net: NetworkSelector, watch: Watch, configs: dict[str, Any]) -> None:
        super().__init__(net, **{**configs, "proxy_url": f"{_DIRECT}://"})
        self._watch = watch

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        """As kafka-python 3.0.12 does, but for two slips of it.

        It leaves a socket open whose TLS handshake has failed. And it drops what was read together with the end of the
        stream: a broker's reason for ending it. The end is read again.
        """
        sock = await create_connection(
            self._net, node.host, node.port, self.config["socket_options"], self.config["proxy_url"], timeout_at
        )
        tls = {name: value for name, value in self.config.items() if name.startswith("ssl_")}
        kind = partial(KafkaSSLTransport, **tls) if self.ssl_enabled else KafkaTCPTransport
        transport = None
        try:
            transport = kind(self._net, sock, host=node.host)
            await transport.handshake()
        except Exception as error:
            (transport or sock).close()
            raise KafkaConnectionError(f"Handshake failed: {error}") from error
        receive = transport._sock_recv  # noqa: SLF001 - it offers no other way in

        def received() -> tuple[bytes, Exception | None]:
            data, error = receive()
            return data, None if data else error

        transport._sock_recv = received  # noqa: SLF001 - as above
        return transport

    def get_connection(self, node_id: object, *args: Any, **more: Any) -> Any:
        before = self._conns.get(node_id)
        connection = super().get_connection(node_id, *args, **more)
        if connection is not before:
            self._watch.follow(node_id, connection)
        return connection
