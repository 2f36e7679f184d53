"""A client's credentials for a token: kept until it is nearly over, asked for once, refused without secrets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headrace_connectors.kafka import tokens
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.kafka.tokens import ClientCredentials, Token, TokenError, ask
from support.token_endpoint import CLIENT_ID, TokenEndpoint
from support.token_endpoint import CLIENT_SECRET as SECRET


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint() as server:
        yield server


def settings(url: str, secret: str = SECRET, **more: Any) -> KafkaSettings:
    return KafkaSettings(
        sasl_oauthbearer_client_id=CLIENT_ID,
        sasl_oauthbearer_client_secret=secret,
        sasl_oauthbearer_token_endpoint_url=url,
        **more,
    )


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def provider(ask: Callable[[], Token], patience: float = 30.0) -> tuple[ClientCredentials, Clock]:
    clock = Clock()
    return ClientCredentials(ask, clock, patience), clock


def test_a_token_is_kept_until_it_is_nearly_over() -> None:
    """Mutations: asked for each time; shown until its last second."""
    given = iter(("one", "two"))
    one, clock = provider(lambda: Token(next(given), clock.now + 80))
    assert [one.token(), one.token()] == ["one", "one"]
    clock.now = 79.9
    assert one.token() == "one"
    clock.now = 80.0
    assert one.token() == "two"


def test_a_fifth_of_its_life_is_kept_back(endpoint: TokenEndpoint) -> None:
    """kafka-python shows a token again after 85 % of its life at the earliest."""
    before = tokens.SYSTEM.boot()
    endpoint.lifetime = 3600
    found = ask(settings(endpoint.url, sasl_oauthbearer_scope="kafka"))
    assert 0 <= found.until - before - 3600 * 0.8 < 60
    assert endpoint.forms == [{"grant_type": ["client_credentials"], "scope": ["kafka"]}]


def test_who_comes_while_it_is_asked_for_waits_for_the_same() -> None:
    """Mutation: each asks by itself."""
    asked: list[int] = []
    go, inside = threading.Event(), threading.Event()

    def slow() -> Token:
        asked.append(1)
        inside.set()
        assert go.wait(30)
        return Token("one", 100)

    one, _ = provider(slow)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(one.token())) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert inside.wait(30)
    go.set()
    for thread in threads:
        thread.join()
    assert (got, len(asked)) == (["one"] * 3, 1)


def test_after_a_refusal_it_is_asked_again() -> None:
    """Mutation: the refusal is kept."""
    answers: list[Token | TokenError] = [TokenError("no"), Token("one", 100)]

    def next_one() -> Token:
        answer = answers.pop(0)
        if isinstance(answer, TokenError):
            raise answer
        return answer

    one, _ = provider(next_one)
    with pytest.raises(TokenError, match=r"^no$"):
        one.token()
    assert one.token() == "one"


def test_an_endpoint_that_hangs_holds_nobody() -> None:
    """Mutation: waited for as long as it likes. What comes late is used the next time."""
    go = threading.Event()

    def late() -> Token:
        go.wait(30)
        return Token("late", 100)

    one, _ = provider(late, patience=0.01)
    with pytest.raises(TokenError, match="did not answer"):
        one.token()
    go.set()
    one._patience = 30.0
    assert one.token() == "late"


def test_something_odd_is_an_error_too() -> None:
    """Or who waits would wait for ever. Mutation: only our own errors are told."""

    def odd() -> Token:
        raise RuntimeError(SECRET)

    one, _ = provider(odd)
    with pytest.raises(TokenError, match="RuntimeError") as caught:
        one.token()
    assert SECRET not in str(caught.value)


def test_refusals_hold_no_secret(endpoint: TokenEndpoint) -> None:
    """The endpoint quotes the credentials. Mutation: its description told."""
    with pytest.raises(TokenError) as caught:
        ask(settings(endpoint.url, "wrong-secret"))
    assert str(caught.value) == "the token endpoint refused the client: 401 invalid_client"
    endpoint.instead = {"token": SECRET}
    with pytest.raises(TokenError) as caught:
        ask(settings(endpoint.url))
    assert str(caught.value) == "the token endpoint's answer holds no access_token"


def test_an_endpoint_that_is_away() -> None:
    with pytest.raises(TokenError) as caught:
        ask(settings("http://127.0.0.1:1/token"))
    assert str(caught.value) == "the token endpoint cannot be reached: Connection refused"
