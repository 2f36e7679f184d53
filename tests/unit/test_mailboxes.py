"""How places of letters are written, and that each is one place however it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.mailbox import MailboxKind
from headrace_connectors.aws import AwsSettings
from headrace_connectors.catalog import catalog
from headrace_connectors.kafka.connecting import KafkaSettings
from headrace_connectors.mailboxes import stream
from support.messages import opening

OPENING = opening(
    folder=Path("/etc/shop"),
    sections={
        "aws": AwsSettings(region="eu-central-1"),
        "kafka": KafkaSettings(bootstrap_servers=["b:9092", "a:9092"]),
    },
)


def of(text: str) -> tuple[MailboxKind, Any] | None:
    for kind in catalog.mailboxes:
        if (written := kind.text(text)) is not None:
            return kind, kind.options(**written)
    return None


@pytest.mark.parametrize(
    ("text", "word", "identity"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/000000000000/dead", "sqs", None),
        ("arn:aws:sqs:eu-central-1:000000000000:dead", "sqs", None),
        ("s3://bucket/a/b", "s3", "None bucket/a/b"),
        ("s3://bucket", "s3", "None bucket/"),
        ("arn:aws:s3:::bucket", "s3", "None bucket/"),
        ("kafka://dead", "kafka", "['a:9092', 'b:9092'] dead"),
        ("redis://user:secret@host:1/2#dead", "redis", "Redis at host:1/2 dead"),
        ("rediss+cluster://a,b#dead:letters", "redis", "Redis at a:6379,b:6379 dead:letters"),
        ("/var/failed", "file", "/var/failed"),
        ("file:failed", "file", "/etc/shop/failed"),
        ("file:///var/failed", "file", "/var/failed"),
    ],
)
def test_what_a_text_means(text: str, word: str, identity: str | None) -> None:
    found = of(text)
    assert found is not None
    kind, options = found
    assert kind.type == word
    if identity is not None:
        assert kind.identity(OPENING, options) == identity


def test_a_queue_is_one_place_by_its_url_and_by_its_arn() -> None:
    """Mutation: what was replayed by the one is replayed again by the other."""
    by_url = of("https://sqs.eu-central-1.amazonaws.com/000000000000/dead")
    by_arn = of("arn:aws:sqs:eu-central-1:000000000000:dead")
    assert by_url is not None
    assert by_arn is not None
    kind = by_url[0]
    assert kind.identity(OPENING, by_url[1]) == kind.identity(OPENING, by_arn[1])


@pytest.mark.parametrize(("nbytes", "entries"), [(1, 100), (2**20, 16), (6 * 2**20, 2), (2**26, 1)])
def test_a_page_of_a_redis_stream_has_as_many_entries_as_memory_bears(nbytes: int, entries: int) -> None:
    """Mutation: a hundred, of 6 MB each."""
    assert stream.entries([(b"1-0", [b"body", b"x" * nbytes]), (b"2-0", {b"body": b""})]) == entries


@pytest.mark.parametrize("text", ["orders", "kafka", "ftp://host/x", "redis://host/0", "arn:aws:sns:r:000000000000:t"])
def test_what_means_no_place(text: str) -> None:
    assert of(text) is None
