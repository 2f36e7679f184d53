"""As whom AWS is called: one identity, whole or not at all, and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from headrace import config
from headrace.config import explain
from headrace.errors import ConfigError
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog

PLANTED = "hunter2-planted-secret"
KEYS: dict[str, Any] = {"credentials": {"access_key_id": f"{PLANTED}-id", "secret_access_key": PLANTED}}
ROLE = "arn:aws:iam::123456789012:role/shop"
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"credentials": {"access_key_id": PLANTED}}, "secret_access_key"),
        ({"credentials": {"secret_access_key": PLANTED}}, "access_key_id"),
        ({"credentials": {"session_token": PLANTED}}, "access_key_id"),
        ({**KEYS, "profile": "shop"}, "write one of them"),
    ],
)
def test_half_an_identity_or_two_are_refused(given: dict[str, Any], said: str) -> None:
    """Mutation: one of two is silently the one that holds."""
    with pytest.raises(ValidationError, match=said) as raised:
        AwsSettings(**given)
    assert PLANTED not in str(raised.value)


@pytest.mark.parametrize("url", ["", "x", "127.0.0.1:4566", "ftp://x", "http://", "http://a b", "https:///path"])
def test_an_endpoint_is_a_url(url: str) -> None:
    """Mutation, tried: any text, at which every call fails for ever with botocore's words."""
    with pytest.raises(ValidationError, match="must be a URL: http://HOST:PORT, or https://HOST"):
        AwsSettings(endpoint_url=url)
    assert AwsSettings(endpoint_url="http://[::1]:4566/path").endpoint_url


def key(settings: AwsSettings) -> str | None:
    return settings.credentials and settings.credentials.access_key_id.get_secret_value()


def test_who_names_credentials_takes_none_of_the_sections() -> None:
    """Mutations: the section's token beside other keys; its role assumed by a stranger; its profile beside keys."""
    theirs = {**KEYS["credentials"], "session_token": "t"}
    section = AwsSettings(region="r", role_arn=ROLE, credentials=theirs)  # type: ignore[arg-type]
    own = {"access_key_id": "mine", "secret_access_key": "mine"}
    mine = AwsSettings(credentials=own).over(section)  # type: ignore[arg-type]
    assert (mine.region, mine.role_arn, key(mine)) == ("r", None, "mine")
    assert mine.credentials
    assert mine.credentials.session_token is None
    profile = AwsSettings(profile="shop").over(section)
    assert (profile.profile, profile.credentials, profile.role_arn) == ("shop", None, None)
    role = AwsSettings(role_arn=f"{ROLE}2").over(section)
    assert (role.role_arn, key(role)) == (f"{ROLE}2", f"{PLANTED}-id")
    assert AwsSettings(endpoint_url="http://e").over(section).role_arn == ROLE


def loaded(tmp_path: Path, **aws: Any) -> Any:
    path = tmp_path / "c.json"
    destination = {"type": "sqs", "queue_url": f"{QUEUE}-failed", **KEYS}
    text = {
        "service": {"name": "s"},
        "aws": aws,
        "functions": {"f": {"handler": "a.b"}},
        "mappings": {
            "m": {
                "source": {"type": "sqs", "queue_url": QUEUE},
                "function": "f",
                "maximum_retry_attempts": 2,
                "destination_config": {"on_failure": {"destination": destination}},
            }
        },
    }
    path.write_text(json.dumps(text))
    return config.load([path], catalog)


def test_no_credential_is_shown(tmp_path: Path) -> None:
    """Mutation: a plain text, which `explain` and every repr show."""
    read = loaded(tmp_path, **KEYS)
    shown = [(row.path, row.value) for row in explain.rows(read)]
    assert PLANTED not in repr(shown)
    assert dict(shown)["aws.credentials.access_key_id"] == "***"


def test_a_fault_beside_a_credential_does_not_show_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, **KEYS, profile="shop", regoin="x")
    assert PLANTED not in str(raised.value)
    assert "write one of them" in str(raised.value)
