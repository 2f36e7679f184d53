"""An OAuth 2 token endpoint on loopback: a client's credentials (HTTP Basic) for an unsecured JSON Web Token.

    with TokenEndpoint() as endpoint: ...     # endpoint.url; endpoint.asked: how often; endpoint.forms: for what

Kafka's own validator takes such tokens where no other one is configured.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

CLIENT_ID, CLIENT_SECRET = "shop", "s3cret"


def token(subject: str = CLIENT_ID, lifetime: float = 300, scope: str = "") -> str:
    """Good from now for `lifetime` seconds; negative: for so long no more."""
    now = time.time()
    claims = {"sub": subject, "iat": now - 600, "exp": now + lifetime, **({"scope": scope} if scope else {})}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


class TokenEndpoint:
    """`lifetime` may be changed while it runs; `instead` is answered in place of a token.

    It is as unfriendly as one may be: a refusal quotes the credentials.
    """

    def __init__(self, lifetime: float = 300) -> None:
        self.lifetime, self.asked = lifetime, 0
        self.forms: list[dict[str, list[str]]] = []
        self.instead: dict[str, object] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self
        allowed = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers.get("content-length", 0)))
                endpoint.forms.append(parse_qs(form.decode()))
                endpoint.asked += 1
                shown = self.headers.get("authorization", "")
                if endpoint.instead is not None:
                    self._answer(200, endpoint.instead)
                elif shown == allowed:
                    lifetime = endpoint.lifetime
                    body = {"access_token": token(lifetime=lifetime), "token_type": "Bearer", "expires_in": lifetime}
                    self._answer(200, body)
                else:
                    pair = base64.b64decode(shown.removeprefix("Basic ")).decode()
                    self._answer(401, {"error": "invalid_client", "error_description": f"nobody is {pair}"})

            def _answer(self, status: int, body: object) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing on standard error."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
