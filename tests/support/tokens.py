"""An OAuth token endpoint in a thread of its own: RFC 6749 4.4, with tokens that nobody has signed (RFC 7515 A.5)."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

SECRET = "right-secret"


class TokenEndpoint:
    """`url`/token gives a token to who knows `SECRET`, `url`/expired one that is over, `url`/nothing an empty answer.

    It is as unfriendly as one may be: a refusal quotes the credentials. `asked` are the forms that came.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.asked.append(parse_qs(form))
                pair = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
                status, answer = _answer(self.path, *pair.split(":", 1))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(path: str, client: str, secret: str) -> tuple[int, dict[str, Any]]:
    if secret != SECRET:
        return 401, {"error": "invalid_client", "error_description": f"nobody is {client} with {secret}"}
    if path == "/nothing":
        return 200, {}
    now = int(time.time()) - (4000 if path == "/expired" else 0)
    claims = {"sub": client, "iat": now, "exp": now + 3600, "scope": "kafka"}
    token = f"{_part({'alg': 'none'})}.{_part(claims)}."
    return 200, {"access_token": token, "token_type": "bearer", "expires_in": 3600}


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
