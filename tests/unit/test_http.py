"""The small HTTP server: where it listens, what it answers, what it bears."""

import http.client
import json
import socket
import struct
from http import HTTPStatus

import pytest

from headrace.errors import ConfigError
from headrace.service.http import Response, Routes, Server, as_json


class Lines:
    """A logger that keeps its lines."""

    def __init__(self):
        self.lines = []

    def info(self, event, **values):
        self.lines.append((event, values))

    warning = info


def fail(headers):
    raise ValueError("secret")


ROUTES = Routes(
    get={
        "/ok": lambda headers: as_json({"fine": True}),
        "/text": lambda headers: Response(HTTPStatus.OK, (headers.get("Accept") or "").encode(), "text/plain"),
        "/bad": fail,
    },
    post={"/do": lambda headers: as_json({"done": True})},
)


@pytest.fixture
def log():
    return Lines()


@pytest.fixture
def server(log):
    with Server("127.0.0.1:0", ROUTES, log) as running:
        yield running


def ask(server, method, path, **options):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, **options)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_says_where_it_listens(server, log):
    assert log.lines == [("http.listening", {"url": server.url})]
    assert server.url.startswith("http://127.0.0.1:")


def test_answers(server):
    status, headers, body = ask(server, "GET", "/ok?x=1")
    assert (status, json.loads(body), headers["Content-Type"]) == (200, {"fine": True}, "application/json")
    assert ask(server, "GET", "/text", headers={"Accept": "a/b"})[2] == b"a/b"


def test_head_has_no_body(server):
    status, headers, body = ask(server, "HEAD", "/ok")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0
    assert ask(server, "HEAD", "/nothing")[::2] == (404, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_refused(server, method):
    status, headers, body = ask(server, method, "/ok", body=b"GET /ok HTTP/1.1\r\n\r\n")
    assert (status, headers["Allow"], headers["Connection"]) == (405, "GET, HEAD", "close")
    assert "error" in json.loads(body)


def test_other_paths_are_not_found(server):
    status, headers, body = ask(server, "GET", "/nothing")
    assert (status, headers["Content-Type"]) == (404, "application/json")
    assert json.loads(body)["paths"] == sorted([*ROUTES.get, *ROUTES.post])


def test_what_is_done_is_posted(server):
    status, headers, body = ask(server, "POST", "/do?x=1")
    assert (status, headers["Connection"], json.loads(body)) == (200, "close", {"done": True})
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        status, headers, _ = ask(server, method, "/do")
        assert (status, headers["Allow"]) == (405, "POST"), method
    assert ask(server, "POST", "/nothing")[0] == 404


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_a_page_in_a_browser_commands_nothing(log, origin):
    """Browsers mark a POST with its page's origin. Mutation: the header is not looked at, or an empty one passes."""
    done = []
    routes = Routes(get={}, post={"/do": lambda headers: as_json(done.append(1))})
    with Server("127.0.0.1:0", routes, log) as running:
        status, _, body = ask(running, "POST", "/do", headers={"Origin": origin})
    assert (status, done) == (403, [])
    assert b"Origin" in body


def test_a_route_that_fails_is_one_line_of_log(server, log):
    status, _, body = ask(server, "GET", "/bad")
    assert status == 500
    assert b"secret" not in body
    assert log.lines[-1] == ("http.failed", {"path": "/bad", "error": "ValueError: secret"})


def test_nonsense_is_answered_in_json(server):
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=30) as client:
        client.sendall(b"\x16\x03\x01 nonsense of four words\r\n\r\n")
        assert b'"error"' in client.recv(4096)


def test_a_client_that_resets_is_no_news(server, log, capfd):
    for _ in range(5):
        client = socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=30)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"GET /ok HTTP/1.1\r\n\r\nGET /ok")
        client.close()
    assert ask(server, "GET", "/ok")[0] == 200
    assert [event for event, _ in log.lines] == ["http.listening"]
    assert capfd.readouterr().err == ""


def test_a_taken_port_is_a_warning_and_a_free_one(server):
    log = Lines()
    taken = server.url.removeprefix("http://")
    with Server(taken, ROUTES, log) as other:
        assert other.url != server.url
        assert ask(other, "GET", "/ok")[0] == 200
    assert [event for event, _ in log.lines] == ["http.port_taken", "http.listening"]


def test_an_address_of_another_machine_is_a_fault_of_the_config(log):
    with (
        pytest.raises(ConfigError, match=r"service\.listen: 192\.0\.2\.1:8480: "),
        Server("192.0.2.1:8480", ROUTES, log),
    ):
        pass


def test_ipv6(log):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with Server("[::1]:0", ROUTES, log) as server:
            assert server.url.startswith("http://[::1]:")
    except ConfigError as error:
        pytest.skip(str(error))
