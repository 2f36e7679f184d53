"""The finder of secrets finds them: else a proof that none leaves proves nothing."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest

from support.traces import exposes, in_every_notation

SECRETS = ["4111222233334444", "s3cr ét\"né'41\\z", "漢字/+ secret"]


@pytest.mark.parametrize("secret", SECRETS)
def test_in_every_notation(secret: str) -> None:
    for name, text in [*in_every_notation(secret), ("url", quote(secret, safe="")), ("form", quote_plus(secret))]:
        assert exposes(f"card {text} was refused", secret), name


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_where_it_is_not(secret: str) -> None:
    for text in ("", "***", "plain words", "eyJhIjogIioqKiJ9", '{"a": "***"}', "4111", "s3cr"):
        assert not exposes(text, secret)
