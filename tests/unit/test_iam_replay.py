"""`headrace iam --replay`: who must be allowed what, so that letters can be brought back from one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.typed import Typed

ACCOUNT = "eu-central-1:123456789012"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012"
READER, WRITER, WORKER = (f"arn:aws:iam::123456789012:role/{name}" for name in ("reader", "writer", "worker"))
STREAM = f"arn:aws:kinesis:{ACCOUNT}:stream/clicks"
READ = {f"sqs:{one}" for one in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")}
POLLED = {f"kinesis:{one}" for one in ("DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")}


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    return Typed(tmp_path, capsys, monkeypatch)


def write(shop: Typed, **mappings: dict[str, Any]) -> None:
    """Mappings, the destination `audit`, and a function that is somebody else."""
    whole = {name: {"function": "f", **one} for name, one in mappings.items()}
    written = {
        "service": {"name": "shop"},
        "aws": {"region": "eu-central-1"},
        "functions": {"f": {"handler": "handlers.ok", "path": ".", "role_arn": WORKER}},
        "destinations": {"audit": {"type": "s3", "bucket": "letters", "prefix": "a/", "role_arn": WRITER}},
        "mappings": whole,
    }
    shop.config.write_text(yaml.safe_dump(written))


def queue(name: str, **source: Any) -> dict[str, Any]:
    return {"source": {"type": "sqs", "queue_url": f"{URL}/{name}", **source}, "maximum_retry_attempts": 1}


def stream(**source: Any) -> dict[str, Any]:
    return {"source": {"type": "kinesis", "stream": STREAM, **source}, "starting_position": "LATEST"}


def failing(to: Any, **more: Any) -> dict[str, Any]:
    return {"destination_config": {"on_failure": {"destination": to, **more}}}


def rights(shop: Typed, source: str, *words: str) -> set[tuple[str | None, str, str, str]]:
    """Whose role, what for, the action and on what, of what is printed; the functions' own role is left out."""
    done = shop.run("iam", "config.yaml", "--json", "--replay", source, *words)
    assert (done.returncode, done.stderr) == (0, "")
    found = {
        (one["role_arn"], statement["Sid"], action, resource)
        for one in json.loads(done.stdout)
        for statement in one["policy"]["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    return {(who, sid.rstrip("2"), action, on) for who, sid, action, on in found if on != WORKER}


def test_a_queue_of_letters_is_read_and_emptied(shop: Typed) -> None:
    """By its URL; records go back to the mapping's own queue, by who reads it. Mutations: what it takes to run; the
    queue's URL is asked for where it is known; the source's role for its letters.
    """
    write(shop, orders={**queue("orders", role_arn=READER), **failing({"type": "sqs", "queue_url": f"{URL}/dead"})})
    dead, beside = f"arn:aws:sqs:{ACCOUNT}:dead", f"arn:aws:sqs:{ACCOUNT}:*"
    expected = {
        *((None, "ReplaySqs", action, dead) for action in READ),
        (None, "TraceSqs", "sqs:ListDeadLetterSourceQueues", dead),
        (None, "TraceSqs", "sqs:GetQueueAttributes", beside),
        (None, "ReplaySts", "sts:AssumeRole", READER),
        (READER, "BackSqs", "sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:orders"),
    }
    assert rights(shop, "orders") == rights(shop, f"{URL}/dead") == expected
    by_arn = {(who, sid, action, on) for who, sid, action, on in expected if on != beside}
    assert rights(shop, dead) >= by_arn


def test_a_redrive_policys_queue_is_one_of_the_sources_region(shop: Typed) -> None:
    """Nobody is asked which. Mutation: the mapping's own queue for it."""
    write(shop, orders=queue("orders", role_arn=READER))
    orders, beside = f"arn:aws:sqs:{ACCOUNT}:orders", f"arn:aws:sqs:{ACCOUNT}:*"
    assert rights(shop, "orders") == {
        *((None, "ReplaySqs", action, beside) for action in READ | {"sqs:GetQueueUrl"}),
        (None, "TraceSqs", "sqs:ListDeadLetterSourceQueues", beside),
        (None, "ReplaySts", "sts:AssumeRole", READER),
        (READER, "ReplaySqs", "sqs:GetQueueAttributes", orders),
        (READER, "BackSqs", "sqs:SendMessage", orders),
    }


def test_a_bucket_and_what_is_kept_elsewhere(shop: Typed) -> None:
    """Of every mapping that sends there, and no other's. Mutations: claims of all; the whole bucket; a consumer that
    is to be subscribed again, or whose name is asked for without the right; claim checks of what succeeded.
    """
    check = {"type": "s3", "bucket": "large", "prefix": "p/"}
    write(
        shop,
        clicks={**stream(), **failing("audit", claim_check=check)},
        pushed={**stream(consumer=f"{STREAM}/consumer/c:1"), **failing(f"arn:aws:sqs:{ACCOUNT}:dead")},
        named={**stream(consumer="c"), **failing(f"arn:aws:sqs:{ACCOUNT}:other")},
        orders={
            **queue("orders"),
            "destination_config": {"on_success": {"destination": "audit", "claim_check": check}},
        },
    )
    expected = {
        (WRITER, "ReplayS3", "s3:ListBucket", "arn:aws:s3:::letters"),
        (WRITER, "ReplayS3", "s3:GetObject", "arn:aws:s3:::letters/a/*"),
        (WRITER, "DeleteS3", "s3:DeleteObject", "arn:aws:s3:::letters/a/*"),
        (None, "ReplaySts", "sts:AssumeRole", WRITER),
        (None, "ReplayS3", "s3:GetObject", "arn:aws:s3:::large/p/claims/shop/clicks/*"),
        *((None, "RereadKinesis", action, STREAM) for action in POLLED),
        (None, "BackKinesis", "kinesis:PutRecord", STREAM),
    }
    assert rights(shop, "audit") == rights(shop, "clicks") == rights(shop, "s3://letters/a/") == expected
    pushed = rights(shop, "pushed")
    assert {one for one in pushed if "Kinesis" in one[1]} == {one for one in expected if "Kinesis" in one[1]}
    assert not {one for one in pushed if "s3:" in one[2]}
    asked = (None, "RereadKinesis", "kinesis:DescribeStreamConsumer", f"{STREAM}/consumer/c:*")
    assert {one for one in rights(shop, "named") - pushed if "Kinesis" in one[1]} == {asked}


def test_letters_that_nobody_of_the_config_sends_may_be_anybodys(shop: Typed) -> None:
    """Unless --mapping says whose they are. Mutation: --mapping is not looked at."""
    write(shop, clicks=stream(), orders=queue("orders"))
    back = {"kinesis:PutRecord", "sqs:SendMessage"}
    found = rights(shop, "s3://elsewhere")
    assert {action for _, sid, action, _ in found if sid.startswith("Back")} == back
    found = rights(shop, "s3://elsewhere", "--mapping", "orders")
    assert {action for _, sid, action, _ in found if sid.startswith("Back")} == {"sqs:SendMessage"}


def test_a_stretch_of_a_log_needs_no_letters(shop: Typed) -> None:
    """The function is handed the records, so somebody assumes its role. Mutation: `Replay` for what is read again."""
    write(shop, clicks=stream())
    assert {sid for _, sid, _, _ in rights(shop, "clicks")} == {"RereadKinesis", "BackKinesis"}
    said = shop.run("iam", "config.yaml", "--replay", "clicks").stdout
    assert f'"{WORKER}"' in said
    assert "# Reread…: where a letter says only where its records are, and for --range" in said
    assert "# Delete…" not in said


def test_a_functions_own_letters(shop: Typed) -> None:
    """Found by its queue and by their address, of a config of functions alone. Mutation: by an address they are read as
    who the config is (tried).
    """
    write(shop)
    config = yaml.safe_load(shop.config.read_text())
    del config["mappings"]
    dead = {"type": "sqs", "queue_url": f"{URL}/dead", "role_arn": WRITER}
    config["functions"]["f"]["event_invoke_config"] = {"destination_config": {"on_failure": {"destination": dead}}}
    shop.config.write_text(yaml.safe_dump(config))
    letters = f"arn:aws:sqs:{ACCOUNT}:dead"
    assert (
        rights(shop, "function:f")
        == rights(shop, f"{URL}/dead")
        == {
            *((WRITER, "ReplaySqs", action, letters) for action in READ),
            (WRITER, "TraceSqs", "sqs:ListDeadLetterSourceQueues", letters),
            (WRITER, "TraceSqs", "sqs:GetQueueAttributes", f"arn:aws:sqs:{ACCOUNT}:*"),
            (None, "ReplaySts", "sts:AssumeRole", WRITER),
        }
    )


def test_what_replay_refuses_is_refused(shop: Typed) -> None:
    """In its words. Mutation: a policy for nothing."""
    several = {**queue("orders"), **failing(["audit", {"type": "sqs", "queue_url": f"{URL}/dead"}])}
    write(
        shop,
        orders=several,
        ticks={"source": {"type": "schedule", "schedules": {"t": {"schedule_expression": "rate(1 hour)"}}}},
    )
    for source, words in (
        ("orders", "--replay: orders sends to several places"),
        ("ticks", "--replay: ticks has no failure destination whose letters can be read"),
        ("nowhere", "--replay: 'nowhere' is no place of letters"),
    ):
        done = shop.run("iam", "config.yaml", "--replay", source)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
