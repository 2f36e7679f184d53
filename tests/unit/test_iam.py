"""The policies that `headrace iam` prints: what each identity needs, in as few statements as say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.right import Need, Right
from headrace_connectors.iam.policy import policy
from support.typed import Typed

ACCOUNT = "eu-central-1:123456789012"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:orders"
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"
ROLE = "arn:aws:iam::123456789012:role/shop"
AUDITOR = "arn:aws:iam::123456789012:role/audit"


def right(action: str, resource: str, need: Need = Need.RUN) -> Right:
    return Right(who="", action=action, resource=resource, need=need)


def test_what_belongs_together_is_one_statement() -> None:
    """Mutation: a statement a right; resources of one that get the actions of another."""
    made = policy(
        [right(action, resource) for resource in ("b", "a") for action in ("sqs:Z", "sqs:A")]
        + [right("sqs:A", "c"), right("sns:P", "t"), right("sqs:L", "a", Need.LOOK), right("sqs:C", "a", Need.CHECK)]
    )
    assert made == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
            for sid, actions, resources in (
                ("RunSns", ["sns:P"], ["t"]),
                ("RunSqs", ["sqs:A"], ["c"]),
                ("RunSqs2", ["sqs:A", "sqs:Z"], ["a", "b"]),
                ("LookSqs", ["sqs:L"], ["a"]),
                ("CheckSqs", ["sqs:C"], ["a"]),
            )
        ],
    }


@pytest.mark.parametrize("needs", [(Need.CHECK, Need.RUN), (Need.RUN, Need.CHECK)])
def test_what_is_needed_to_run_is_not_said_again(needs: tuple[Need, Need]) -> None:
    (statement,) = policy(right("sqs:A", "q", need) for need in needs)["Statement"]
    assert statement["Sid"] == "RunSqs"


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    return Typed(tmp_path, capsys, monkeypatch)


def write(shop: Typed, mappings: dict[str, Any], **top: Any) -> None:
    """Mappings of the function f."""
    functions = {"f": {"handler": "handlers.ok", "path": "."}}
    whole = {name: {"function": "f", **one} for name, one in mappings.items()}
    written = {"service": {"name": "shop"}, "functions": functions, "mappings": whole, **top}
    shop.config.write_text(yaml.safe_dump(written))


def needs(statements: list[dict[str, Any]], sid: str) -> set[tuple[str, str]]:
    wanted = [one for one in statements if one["Sid"].startswith(sid)]
    return {(action, resource) for one in wanted for action in one["Action"] for resource in one["Resource"]}


def test_each_identity_has_its_own(shop: Typed) -> None:
    """A source by the config's role, a destination by its own, with keys of its own, one by a profile. Mutations: the
    policy of one for another; a secret that is shown.
    """
    keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "hush"}
    to = ["audit", {"type": "s3", "bucket": "letters", "prefix": "a/", "credentials": keys}]
    source = {"type": "sqs", "queue_url": URL}
    stream = {"type": "kinesis", "stream": "clicks", "profile": "reader"}
    write(
        shop,
        {
            "orders": {
                "source": source,
                "maximum_retry_attempts": 3,
                "destination_config": {"on_failure": {"destination": to}},
            },
            "clicks": {"source": stream, "starting_position": "LATEST"},
            "off": {"source": {**source, "queue_url": f"{URL}-off"}, "enabled": False},
        },
        aws={"region": "eu-central-1", "role_arn": ROLE},
        destinations={"audit": {"type": "sns", "topic_arn": f"arn:aws:sns:{ACCOUNT}:t", "role_arn": AUDITOR}},
    )
    done = shop.run("iam", "config.yaml", "--json")
    found = json.loads(done.stdout)
    named = {(one["role_arn"], one["profile"], one["credentials"]): one for one in found}
    letters = "mappings.orders.destination_config.on_failure.destination[1]"
    assert set(named) == {
        (ROLE, None, None),
        (AUDITOR, None, None),
        (None, None, None),
        (None, "reader", None),
        (None, None, f"{letters}.credentials"),
    }
    assert named[ROLE, None, None]["for"] == ["mappings.orders.source"]
    assert named[AUDITOR, None, None]["for"] == ["destinations.audit"]
    own = named[None, None, None]["policy"]["Statement"]
    assert needs(own, "") == {("sts:AssumeRole", ROLE), ("sts:AssumeRole", AUDITOR)}
    bucket = named[None, None, f"{letters}.credentials"]["policy"]["Statement"]
    assert needs(bucket, "Run") == {("s3:PutObject", "arn:aws:s3:::letters/a/*")}
    assert needs(bucket, "Check") == {("s3:ListBucket", "arn:aws:s3:::letters")}
    words = shop.run("iam", "config.yaml")
    for text in (done.stdout, words.stdout):
        assert "AKIDEXAMPLE" not in text
        assert "hush" not in text
        assert "orders-off" not in text
    assert "orders-off" in shop.run("iam", "config.yaml", "--mapping", "off").stdout


def test_a_claim_check_is_written_below_its_own_keys(shop: Typed) -> None:
    """Mutations: a claim check that is forgotten; the whole bucket for it."""
    to = {
        "destination": f"arn:aws:sqs:{ACCOUNT}:dead",
        "claim_check": {"type": "s3", "bucket": "large", "prefix": "p/"},
    }
    source = {"type": "sqs", "queue_url": URL}
    write(shop, {"orders": {"source": source, "maximum_retry_attempts": 1, "destination_config": {"on_failure": to}}})
    (found,) = json.loads(shop.run("iam", "config.yaml", "--json").stdout)
    assert found["for"][-1] == "mappings.orders.destination_config.on_failure.claim_check"
    statements = found["policy"]["Statement"]
    assert needs(statements, "RunS3") == {("s3:PutObject", "arn:aws:s3:::large/p/claims/shop/orders/*")}
    assert needs(statements, "CheckS3") == {("s3:ListBucket", "arn:aws:s3:::large")}


def test_a_claim_check_and_a_function_are_who_they_are(shop: Typed) -> None:
    """By a role of its own, of a name, and of a function's queue too; somebody assumes the function's role, and what
    it does with it is not known. Mutations: a claim check as who its destination is (tried); those of functions are
    left out; a policy for a function's role.
    """
    check = {"type": "s3", "bucket": "large", "role_arn": ROLE}
    sent = {"destination": f"arn:aws:sqs:{ACCOUNT}:dead"}
    write(
        shop,
        {
            "orders": {
                "source": {"type": "sqs", "queue_url": URL},
                "maximum_retry_attempts": 1,
                "destination_config": {"on_failure": {**sent, "claim_check": "large"}},
            }
        },
        destinations={"large": check},
        functions={
            "f": {
                "handler": "handlers.ok",
                "path": ".",
                "role_arn": AUDITOR,
                "event_invoke_config": {
                    "destination_config": {"on_success": {**sent, "claim_check": {**check, "bucket": "told"}}}
                },
            }
        },
    )
    found = {one["role_arn"]: one for one in json.loads(shop.run("iam", "config.yaml", "--json").stdout)}
    assert set(found) == {None, ROLE}
    assert needs(found[ROLE]["policy"]["Statement"], "Run") == {
        ("s3:PutObject", "arn:aws:s3:::large/claims/shop/orders/*"),
        ("s3:PutObject", "arn:aws:s3:::told/claims/shop/function:f/*"),
    }
    own = found[None]["policy"]["Statement"]
    assert needs(own, "RunSts") == {("sts:AssumeRole", ROLE), ("sts:AssumeRole", AUDITOR)}
    assert needs(own, "RunS3") == set()
    assert {"destinations.large", "functions.f"} <= {place for one in found.values() for place in one["for"]}


def test_the_words_stand_before_a_document_that_can_be_taken_as_it_is(shop: Typed) -> None:
    """Mutation: a note that is not a comment."""
    write(shop, {"orders": {"source": {"type": "sqs", "queue_url": URL}}})
    lines = shop.run("iam", "config.yaml").stdout.splitlines()
    notes = [line for line in lines if line.startswith("#")]
    assert notes[:2] == ["# the process's own credentials", "# for mappings.orders.source"]
    assert any("kms:Decrypt" in line for line in notes)
    statements = json.loads("\n".join(line for line in lines if line not in notes))["Statement"]
    work = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    assert needs(statements, "Run") == {(f"sqs:{one}", QUEUE) for one in work}
    letters = QUEUE.replace("orders", "*")
    assert needs(statements, "Look") == {(f"sqs:{one}", letters) for one in ("GetQueueAttributes", "GetQueueUrl")}


@pytest.mark.parametrize(
    ("url", "region", "queue"),
    [
        ("http://localhost:4566/000000000000/q", "eu-west-1", "arn:aws:sqs:eu-west-1:000000000000:q"),
        ("http://localhost:9324/queue/q", None, "arn:aws:sqs:*:*:q"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", None, "arn:aws-cn:sqs:cn-north-1:123456789012:q"),
        (URL, "eu-west-1", QUEUE),
    ],
)
def test_a_queues_arn_is_made_of_its_url_and_the_region(
    shop: Typed, url: str, region: str | None, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nothing says is a star, and is said to be one; the environment's region comes last."""
    if region:
        monkeypatch.setenv("AWS_REGION", region)
    write(shop, {"orders": {"source": {"type": "sqs", "queue_url": url}}})
    said = shop.run("iam", "config.yaml").stdout
    assert f'"{queue}"' in said
    assert ("for an account or a region" in said) == (":*:" in queue)


def test_what_calls_nobody_needs_nothing(shop: Typed) -> None:
    write(shop, {"orders": {"source": {"type": "kafka", "bootstrap_servers": "h:1", "topics": ["t"]}}})
    done = shop.run("iam", "config.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing in it calls AWS\n")
    assert shop.run("iam", "config.yaml", "--json").stdout == "[]\n"
    assert shop.run("iam", "config.yaml", "--mapping", "order").returncode == 2
