"""What is posted to a real HTTP server, as the server sees it: taken, put off, refused, cut, and over TLS.

What else can befall it is in test_destination_table.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace import config
from headrace.config import explain
from headrace.destination import CONFIRMED, Destination, Message, Said
from headrace_connectors.catalog import catalog
from headrace_connectors.destinations.http import HttpOptions, http
from support.certificates import Authority
from support.handclock import HandClock
from support.messages import message, opening
from support.receiver import Receiver

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as server:
        try:
            yield server
        finally:
            server.gate.set()


@asynccontextmanager
async def opened(url: str, around: Any = None, **given: Any) -> AsyncIterator[Destination]:
    destination = http.open(around or opening(), HttpOptions(url=url, **given))
    try:
        yield destination
    finally:
        await destination.close()


def messages(count: int, key: str | None = None) -> list[Message]:
    return [message(f"m{n}", json.dumps({"n": n}).encode(), key=key) for n in range(count)]


async def test_a_receiver_can_check_each_of_them_and_tell_a_repeat(receiver: Receiver) -> None:
    """Mutations: a signature of other bytes than those that are sent; another id the second time."""
    own = {"Authorization": "Bearer b"}
    async with opened(receiver.url, signing_secret=SECRET, headers=own) as destination:
        for _ in range(2):
            assert await destination.send(messages(12)) == [CONFIRMED] * 12
    for one in receiver.posted:
        signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
        said = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert one.headers["webhook-signature"] == f"v1,{said}"
        assert json.loads(one.body)["id"] == one.headers["webhook-id"]
        assert one.headers["Authorization"] == "Bearer b"
    assert len({one.headers["webhook-id"] for one in receiver.posted}) == 12
    assert {one.path for one in receiver.posted} == {"/hook"}


async def test_records_of_one_key_arrive_in_their_order(receiver: Receiver) -> None:
    async with opened(receiver.url, format="json") as destination:
        assert await destination.send(messages(20, key="k")) == [CONFIRMED] * 20
    assert [json.loads(one.body)["n"] for one in receiver.posted] == list(range(20))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, Said.CONFIRMED),
        (202, Said.CONFIRMED),
        (204, Said.CONFIRMED),
        (302, Said.FAILED),
        (304, Said.FAILED),
        (400, Said.REFUSED),
        (401, Said.FAILED),
        (403, Said.FAILED),
        (404, Said.FAILED),
        (408, Said.FAILED),
        (409, Said.FAILED),
        (413, Said.REFUSED),
        (422, Said.REFUSED),
        (425, Said.FAILED),
        (429, Said.FAILED),
        (500, Said.FAILED),
        (503, Said.FAILED),
    ],
)
async def test_what_each_answer_means(receiver: Receiver, status: int, said: Said) -> None:
    """Mutations: any answer is a yes; a wrong token is final, with which a log's record would lose its payload."""
    receiver.answers.append((status, {"Location": f"{receiver.url}/elsewhere"}))
    async with opened(receiver.url) as destination:
        (reply,) = await destination.send(messages(1))
    assert reply.said is said
    assert (str(status) in reply.reason) is (said is not Said.CONFIRMED)
    assert len(receiver.posted) == (said is Said.CONFIRMED)  # and nobody went elsewhere


async def test_what_is_refused_alone_is_refused_alone(receiver: Receiver) -> None:
    receiver.answers += [(200, {}), (413, {}), (200, {})]
    async with opened(receiver.url) as destination:
        replies = await destination.send(messages(3, key="k"))  # one after the other
        assert sorted(one.said for one in replies) == [Said.CONFIRMED, Said.CONFIRMED, Said.REFUSED]


async def test_who_asks_for_rest_is_left_alone_for_it(receiver: Receiver) -> None:
    """Mutations: asked again at once, which is what it wanted to be spared; for ever, or for as long as it says."""
    clock = HandClock()
    receiver.answers.append((503, {"Retry-After": "7"}))
    receiver.answers.append((429, {"Retry-After": "999999"}))
    async with opened(receiver.url, opening(clock=clock)) as destination:
        (reply,) = await destination.send(messages(1))
        assert reply.reason == "it answers 503, and asks to be left alone for 7 s"
        clock.now += 6
        (reply,) = await destination.send(messages(1))
        assert (reply.said, reply.reason) == (Said.FAILED, "it has asked to be left alone for 1 s more")
        assert len(receiver.answers) == 1
        clock.now += 1
        (reply,) = await destination.send(messages(1))
        assert "429" in reply.reason
        clock.now += 300
        assert await destination.send(messages(1)) == [CONFIRMED]


async def test_a_cut_connection_is_no_yes(receiver: Receiver) -> None:
    """Mutations: a cut connection taken for a yes; a session that stays broken; a URL's token in the reason."""
    async with opened(receiver.url) as destination:
        receiver.answers.append(None)
        (reply,) = await destination.send(messages(1))
        assert (reply.said, "planted" in reply.reason) == (Said.FAILED, False)
        assert await destination.send(messages(3)) == [CONFIRMED] * 3
    assert {json.loads(one.body)["data"]["n"] for one in receiver.posted} == {0, 1, 2}


async def test_a_certificate_is_checked(tmp_path: Path) -> None:
    """Mutations: not checked at all; the system's authorities beside the one that is named, or in its place."""
    authority = Authority(tmp_path / "ca")
    pair = authority.issue("server", "DNS:localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    around = opening(folder=tmp_path)
    async with Receiver(tls=context) as server:
        async with opened(server.url, around) as destination:
            (reply,) = await destination.send(messages(1))
            assert (reply.said, "certificate verify failed" in reply.reason) == (Said.FAILED, True)
        async with opened(server.url, around, ssl_cafile="ca/ca.pem") as destination:
            assert await destination.send(messages(1)) == [CONFIRMED]
        wrong = server.url.replace("localhost", "127.0.0.1")
        async with opened(wrong, around, ssl_cafile="ca/ca.pem") as destination:
            (reply,) = await destination.send(messages(1))
            assert reply.said is Said.FAILED
        trusting = HttpOptions(url=server.url, ssl_cafile="ca/ca.pem")
        assert [*(await http.probe(around, trusting)).faults] == []
        assert len((await http.probe(around, HttpOptions(url=server.url))).faults) == 1


async def test_check_connects_and_posts_nothing(receiver: Receiver) -> None:
    """Mutation: a record that nobody gave up."""
    assert [*(await http.probe(opening(), HttpOptions(url=receiver.url))).faults] == []
    assert receiver.posted == []
    await receiver.stop()
    (fault,) = (await http.probe(opening(), HttpOptions(url=receiver.url))).faults
    assert (fault.path, "planted" in fault.message) == ("url", False)
    await receiver.start()


def test_what_is_legal_but_dangerous_or_means_nothing(tmp_path: Path) -> None:
    around = opening(folder=tmp_path)
    (warning,) = http.warn(around, HttpOptions(url="http://example.org/"))
    assert "everybody to read" in warning.message
    assert [*http.warn(around, HttpOptions(url="http://127.0.0.1:1/"))] == []
    (fault,) = http.check(around, HttpOptions(url="http://127.0.0.1/", ssl_cafile="x"))
    assert "means nothing" in fault.message
    (fault,) = http.check(around, HttpOptions(url="https://example.org/", ssl_cafile="x"))
    assert "cannot be read" in fault.message


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Mutation: `explain` shows the headers."""
    destination = {
        "type": "http",
        "url": "https://example.org/hook?token=planted",
        "headers": {"X-Api-Key": "planted"},
        "signing_secret": SECRET,
    }
    mapping = {
        "source": {"type": "sqs", "queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"},
        "function": "f",
        "maximum_retry_attempts": 2,
        "destination_config": {"on_failure": {"destination": destination}},
    }
    path = tmp_path / "c.json"
    text = {"service": {"name": "s"}, "functions": {"f": {"handler": "a.b"}}, "mappings": {"m": mapping}}
    path.write_text(json.dumps(text))
    read = config.load([path], catalog)
    shown = {row.path: row.value for row in explain.rows(read)}
    assert "planted" not in repr(shown)
    assert SECRET not in repr(shown)
    root = "mappings.m.destination_config.on_failure.destination"
    assert shown[f"{root}.headers.X-Api-Key"] == "***"
    options = HttpOptions(url=destination["url"])  # type: ignore[arg-type]
    assert http.open(opening(), options).name == "http example.org/hook"
