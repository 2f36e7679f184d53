"""A small HTTP server on daemon threads of its own, so that it answers while the loop is wedged.

It knows nothing of mappings: it serves the routes that it is given. See endpoints.py.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from headrace.errors import ConfigError, Fault
from headrace.observe import Log
from headrace.settings import host_and_port

IDLE: Final = 15.0
"""Seconds that a connection may be silent."""

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """What a route answers."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON


Route: TypeAlias = Callable[[Message], Response]
"""Answers a GET or a POST; is told the request's headers. Called in a thread of the server."""


def as_json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(status, json.dumps(value, indent=2).encode() + b"\n")


@dataclass(frozen=True, slots=True)
class Routes:
    """By path: what is read with GET, and what is done with POST. A path is in one of them."""

    get: Mapping[str, Route]
    post: Mapping[str, Route]


class Server:
    """Serves *routes* on *listen* from enter to exit. A taken port is a warning, and a free one.

    A POST that a browser sends for a page, which it marks with `Origin`, is refused: whoever opens a page in a browser
    beside the service must not thereby command it.

    Raises:
        ConfigError: this machine cannot listen there.
    """

    def __init__(self, listen: str, routes: Routes, log: Log) -> None:
        self._address, self._routes, self._log = host_and_port(listen), routes, log
        self._http: _Http | None = None
        self.url = ""

    def __enter__(self) -> Self:
        host, port = self._address
        try:
            self._http = self._bind(host, port)
        except OSError as error:
            message = f"{host}:{port}: {error.strerror or error}; choose an address of this machine"
            raise ConfigError([Fault("service.listen", message)]) from None
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._http.server_port}"
        Thread(target=self._http.serve_forever, args=(0.1,), name="headrace-http", daemon=True).start()
        self._log.info("http.listening", url=self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def _bind(self, host: str, port: int) -> _Http:
        handler = partial(_Handler, self._routes, self._log)
        try:
            return _Http(host, port, handler, self._log)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not port:
                raise
            self._log.warning(
                "http.port_taken", host=host, port=port, mend="another process has it; a free one is used"
            )
            return _Http(host, 0, handler, self._log)


class _Http(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, handler: Any, log: Log) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._log = log
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        """As socketserver's, without the name look-up of http.server, which may take as long as DNS likes."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is no news; anything else is one line."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self._log.warning("http.failed", error=f"{type(error).__name__}: {error}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "headrace"
    sys_version = ""
    timeout = IDLE

    def __init__(self, routes: Routes, log: Log, *rest: Any) -> None:
        self._routes, self._log = routes, log
        super().__init__(*rest)

    def do_GET(self) -> None:
        self._answer(self._routes.get, body=True)

    def do_HEAD(self) -> None:
        self._answer(self._routes.get, body=False)

    def do_POST(self) -> None:
        self.close_connection = True  # a body that is not read would be taken for a request
        if "Origin" in self.headers:
            self.send_error(HTTPStatus.FORBIDDEN, "not from a page in a browser (Origin); use curl or headrace")
            return
        self._answer(self._routes.post, body=True)

    def _refuse_method(self) -> None:
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method  # noqa: N815 - the base class's names

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _answer(self, routes: Mapping[str, Route], *, body: bool) -> None:
        route = routes.get(self._path)
        if route is None:
            known = self._path in {*self._routes.get, *self._routes.post}
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)
            return
        try:
            response = route(self.headers)
        except Exception as error:  # noqa: BLE001 - the client is told; the service goes on
            self._log.warning("http.failed", path=self.path[:200], error=f"{type(error).__name__}: {error}")
            response = as_json({"error": "internal error; see the log"}, HTTPStatus.INTERNAL_SERVER_ERROR)
        self._send(response, body=body)

    def _send(self, response: Response, *, body: bool) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Cache-Control", "no-store")
        if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "POST" if self._path in self._routes.post else "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(response.body)

    def send_error(self, code: int, message: str | None = None, *_: Any) -> None:
        """Answers in JSON, and ends the connection: a body that was not read would be taken for a request."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self.close_connection = True
        error = {
            "error": message or status.description or status.phrase,
            "paths": sorted([*self._routes.get, *self._routes.post]),
        }
        self._send(as_json(error, status), body=getattr(self, "command", None) != "HEAD")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Health checks every few seconds are no news."""
