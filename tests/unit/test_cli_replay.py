"""`headrace replay` on a file of failure records, as an operator types it; no server is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from headrace.cli import common
from headrace.cli.ledgers import opened
from headrace.cli.main import main
from headrace.cli.places import Places
from headrace.config import Config
from headrace.keying import digest
from support.letters import STREAM, click, failure, invocation, message

HANDLERS = """
import json
def note(*lines):
    with open(FILE, "a") as file:
        file.write("".join(json.dumps(line) + "\\n" for line in lines))
def handler(event, context):
    note({"event": event, "id": context.aws_request_id, "mapping": context.headrace.mapping,
          "attempt": context.headrace.attempt, "lane": context.headrace.lane})
    bad = [one["messageId"] for one in event.get("Records", []) if "bad" in one.get("body", "")]
    if "quote" in json.dumps(event):
        raise ValueError(f"cannot charge {event}")
    if "raise" in json.dumps(event):
        raise ValueError("no")
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
def clicks(event, context):
    note({"event": event})
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][1]["kinesis"]["sequenceNumber"]}]}
"""


class Shop:
    """A folder with a config of a queue `orders` and a stream `clicks`, and a file of letters."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.letters, self.notes = folder / "failed.jsonl", folder / "notes"
        module = f"replayed_{folder.name.replace('-', '_')}"
        (folder / f"{module}.py").write_text(f"FILE = {str(self.notes)!r}\n{HANDLERS}")
        self.module = module
        self.write()

    def write(self, clicks: dict[str, Any] | None = None, **orders: Any) -> None:
        url = "https://sqs.eu-central-1.amazonaws.com/000000000000/orders"
        report = {"function_response_types": ["ReportBatchItemFailures"]}
        to_file = {"on_failure": {"destination": {"type": "file", "path": "failed.jsonl"}}}
        config = {
            "service": {"name": "shop", "listen": None},
            "functions": {
                "f": {"handler": f"{self.module}.handler", "path": ".", "timeout": 5},
                "g": {"handler": f"{self.module}.clicks", "path": "."},
            },
            "mappings": {
                "orders": {
                    "source": {"type": "sqs", "queue_url": url},
                    "function": "f",
                    "destination_config": to_file,
                    **report,
                    **orders,
                },
                "clicks": {
                    "source": {"type": "kinesis", "stream": "clicks", "region": "eu-central-1"},
                    "function": "g",
                    "starting_position": "TRIM_HORIZON",
                    **report,
                    **(clicks or {}),
                },
            },
        }
        (self.folder / "c.yaml").write_text(yaml.safe_dump(config))

    def put(self, *letters: object) -> None:
        lines = [one if isinstance(one, str) else json.dumps(one) for one in letters]
        with self.letters.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def run(self, *arguments: str, source: str = "orders") -> tuple[int, str, str]:
        status = main(["replay", str(self.folder / "c.yaml"), "--from", source, *arguments])
        said = self.capsys.readouterr()
        return status, said.out, said.err

    def handled(self) -> list[dict[str, Any]]:
        """What the handlers were given since the last look."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        self.notes.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def bodies(self) -> list[str]:
        return [one["body"] for call in self.handled() for one in call["event"]["Records"]]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Shop(tmp_path, capsys)


def test_letters_are_handled_as_they_were_and_what_fails_again_stays(shop: Shop) -> None:
    """Mutations: a letter that failed counts as done; a handler that is given anything but the payload."""
    first, second = message("m1", {"total": 1}), message("m2", "bad")
    shop.put(failure(first, cls="timeout"), failure(second), "torn {")
    status, out, err = shop.run()
    assert status == 1
    calls = shop.handled()
    assert [call["event"] for call in calls] == [{"Records": [first]}, {"Records": [second]}]
    assert [(call["mapping"], call["attempt"], call["lane"]) for call in calls] == [
        ("orders", 4, "orders"),
        ("orders", 4, "replay"),
    ]
    assert "1 replayed, 1 failed again, 1 unreadable" in out
    assert "of orders (m2): its handler named it" in err
    assert "cannot be read as JSON" in err
    assert len(shop.letters.read_text().splitlines()) == 3


def test_what_a_mapping_hides_is_not_said_of_a_replay_either(shop: Shop) -> None:
    """Nor is *** handed over. Mutations: the error as it is; a letter that was redacted is replayed."""
    shop.write(redact=["body.card"])
    redacted = failure(message("m1", {"card": "***"}), cls="timeout")
    redacted["headrace"]["payloadRedacted"] = ["body.card"]
    shop.put(redacted, failure(message("m2", {"card": "4111222233334444", "quote": 1}), cls="timeout"))
    status, out, err = shop.run()
    assert status == 1
    assert [call["event"]["Records"][0]["messageId"] for call in shop.handled()] == ["m2"]
    assert "redact has hidden body.card in it" in err
    assert "ValueError: cannot charge" in err
    assert "4111222233334444" not in out + err
    assert len(shop.letters.read_text().splitlines()) == 2


def test_it_goes_on_where_it_was_and_begins_anew_when_asked(shop: Shop) -> None:
    """Mutation: what was replayed is not remembered, or not forgotten."""
    shop.put(*[failure(message(f"m{number}", str(number))) for number in range(3)])
    assert shop.run("--max", "2")[0] == 0
    assert shop.bodies() == ["0", "1"]
    status, out, _ = shop.run()
    assert (status, shop.bodies()) == (0, ["2"])
    assert "2 replayed before" in out
    assert shop.run()[0] == 0
    assert shop.handled() == []
    assert shop.run("--restart")[0] == 0
    assert shop.bodies() == ["0", "1", "2"]
    assert "the same command without --restart goes on" in shop.run("--restart", "--max", "1")[1]
    assert "the same command goes on" in shop.run("--max", "1")[1]


def test_of_a_batch_only_what_failed_is_handled_again(shop: Shop) -> None:
    """Mutations: the whole letter again; the rest of it given up as done."""
    shop.put(failure(message("m1", "good"), message("m2", "bad"), message("m3", "good")))
    assert shop.run()[0] == 1
    assert shop.bodies() == ["good", "bad", "good"]
    assert shop.run()[0] == 1
    assert shop.bodies() == ["bad"]
    status, *_ = shop.run("--edit", '.body = "mended"')
    assert (status, shop.bodies()) == (0, ["mended"])
    assert (shop.run()[0], shop.handled()) == (0, [])


def test_of_a_stream_what_stands_behind_a_failure_failed_too(shop: Shop) -> None:
    """As the poller has it: mutation, only what was named."""
    shop.put(failure(click(1, {}), click(2, {}), click(3, {})))
    status, _, err = shop.run(source=str(shop.letters))
    assert status == 1
    assert all(str(49 * 10**54 + number) in err for number in (2, 3))
    assert str(49 * 10**54 + 1) not in err
    shop.handled()
    shop.run(source=str(shop.letters))
    (call,) = shop.handled()
    assert [one["kinesis"]["partitionKey"] for one in call["event"]["Records"]] == ["key-2", "key-3"]


def test_edited_by_jq_as_filters_see_it(shop: Shop) -> None:
    """The body is parsed, and text again for the handler; its digest is right. Mutation: the digest of the old one."""
    shop.put(failure(message("m1", {"total": "7 €"})))
    assert shop.run("--edit", ".body.total |= (.[:1] | tonumber)")[0] == 0
    (call,) = shop.handled()
    (record,) = call["event"]["Records"]
    assert (json.loads(record["body"]), record["messageId"]) == ({"total": 7}, "m1")
    assert record["md5OfBody"] == message("m1", {"total": 7})["md5OfBody"]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ('.messageId = "other"', "messageId may not change; only .body may"),
        (".body", "must make a whole record"),
        ("empty", "makes no values"),
        ("., .", "makes 2 values"),
        (".body.total.x = 1", "Cannot index number"),
    ],
)
def test_an_edit_that_cannot_be_made_of_a_record_leaves_it(shop: Shop, expression: str, why: str) -> None:
    shop.put(failure(message("m1", {"total": 1})))
    status, _, err = shop.run("--edit", expression)
    assert (status, shop.handled()) == (1, [])
    assert why in err


def test_a_number_that_jq_would_round_is_not_edited(shop: Shop) -> None:
    """Mutation, tried: without the look the handler is given another number."""
    shop.put(failure(message("m1", {"id": 2**60 + 1, "n": 1})))
    assert "would round" in shop.run("--edit", ".body.n = 2")[2]
    assert shop.handled() == []
    assert shop.run()[0] == 0
    assert shop.bodies() == [json.dumps({"id": 2**60 + 1, "n": 1})]


def test_selected_by_pattern_class_mapping_and_time(shop: Shop) -> None:
    """Mutations: a filter that is not asked; a skipped letter that counts as done."""
    old = failure(message("m3", {"total": 70}), cls="timeout", timestamp="2020-01-01T00:00:00Z")
    shop.put(
        failure(message("m1", {"total": 1}), message("m2", {"total": 50}), cls="timeout"),
        failure(message("m4", {"total": 60}), cls="handler_error"),
        old,
    )
    big = '{"body": {"total": [{"numeric": [">", 10]}]}}'
    status, out, _ = shop.run("--filter", big, "--class", "timeout", "--since", "2025-01-01")
    assert (status, shop.bodies()) == (0, ['{"total": 50}'])
    assert "1 replayed, 2 skipped" in out
    shop.run("--mapping", "orders")
    assert shop.bodies() == ['{"total": 1}', '{"total": 60}', '{"total": 70}']


def test_a_place_is_the_same_however_it_is_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: what was replayed by the mapping's name is replayed again by the path."""
    shop.put(failure(message("m1", "a")))
    assert shop.run()[0] == 0
    monkeypatch.chdir(shop.folder)
    for source in (str(shop.letters), "./failed.jsonl", f"file:{shop.letters}"):
        assert "1 replayed before" in shop.run(source=source)[1]
    assert len(shop.handled()) == 1


def test_letters_of_another_mapping_are_skipped(shop: Shop) -> None:
    shop.put(failure(message("m1", ""), cls="timeout"))
    _, out, _ = shop.run("--mapping", "clicks", source=str(shop.letters))
    assert "1 skipped" in out
    assert shop.handled() == []


def test_letters_of_another_service_are_its_own(shop: Shop) -> None:
    """They lie in one place, its mapping has our mapping's name: its handlers are not here. It is said why they were
    skipped. Mutation, tried: handled by ours, and remembered as replayed."""
    theirs = failure(message("m1", "theirs"), cls="timeout")
    theirs["headrace"]["service"] = "other"
    shop.put(theirs, failure(message("m2", "ours"), cls="timeout"))
    status, out, _ = shop.run()
    assert (status, shop.bodies()) == (0, ["ours"])
    assert "1 replayed, 1 skipped (1 of service other)" in out
    assert shop.run("--service", "other")[0] == 0
    assert shop.bodies() == ["theirs"]


def test_what_letters_and_handlers_say_does_no_harm_to_a_terminal(shop: Shop) -> None:
    """On one line. Mutation, tried: as it is."""
    shop.put(failure(message("m\x1b[31m1", "bad")))
    status, _, err = shop.run()
    assert status == 1
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


def test_the_preview_changes_nothing(shop: Shop) -> None:
    """Mutations: a handler that is called; progress that is written; an edit that is not shown."""
    shop.put(failure(message("m1", {"total": 1}), cls="timeout"), failure(message("m2", "x")))
    before = shop.letters.read_bytes()
    status, out, _ = shop.run("--dry-run", "--edit", 'if .body == "x" then .body = "mended" else . end')
    assert (status, shop.handled(), shop.letters.read_bytes()) == (0, [], before)
    assert "2 would be replayed" in out
    header, *rows = out.splitlines()
    assert header.split()[:3] == ["letter", "mapping", "class"]
    assert any("orders" in row and "timeout" in row and "ValueError: boom" in row for row in rows)
    assert [row.split()[-1] for row in rows[:2]] == ["1}", '"mended"']
    status, out, _ = shop.run("--dry-run", "--json", "--edit", 'if .body == "x" then .body = "mended" else . end')
    first, second, end = map(json.loads, out.splitlines())
    assert (first["outcome"], first["class"], first["records"]) == ("would be replayed", "timeout", 1)
    assert second["event"]["Records"][0]["body"] == "mended"
    assert end == {"counts": {"would be replayed": 2}, "records": 2, "ended": "all"}
    shop.run()
    assert len(shop.bodies()) == 2


def test_json_of_what_became_of_each(shop: Shop) -> None:
    shop.put(failure(message("m1", "good")), failure(message("m2", "bad")), "{}")
    status, out, _ = shop.run("--json")
    assert status == 1
    *each, end = map(json.loads, out.splitlines())
    assert [one["outcome"] for one in each] == ["replayed", "failed again", "unreadable"]
    assert each[1]["failed"] == ["m2"]
    assert end["counts"] == {"replayed": 1, "failed again": 1, "unreadable": 1}


def test_an_invocation_keeps_its_request_id(shop: Shop) -> None:
    """Its event as it was, to the function that its ARN names. Mutation: a new id."""
    shop.put(invocation({"order": 7}, "req-7"), invocation({"raise": 1}, "req-8"), invocation({}, "req-9", "gone"))
    status, out, err = shop.run(source=str(shop.letters))
    assert status == 1
    calls = shop.handled()
    assert [(call["id"], call["event"]) for call in calls] == [("req-7", {"order": 7}), ("req-8", {"raise": 1})]
    assert "1 replayed, 1 failed again, 1 unreadable" in out
    assert "'gone', which is not in the config" in err
    shop.run("--filter", '{"raise": [1]}', "--edit", "{order: 8}", source=str(shop.letters))
    (call,) = shop.handled()
    assert (call["id"], call["event"]) == ("req-8", {"order": 8})


async def _waiting(config: Config) -> list[Any]:
    async with opened(config) as ledger:
        return [one.call for one in await ledger.take("function:f", "me", 10, 60)]


@pytest.mark.parametrize("found", ["function:f", "letters", "./failed.jsonl"])
@pytest.mark.parametrize("alone", [False, True], ids=["", "no mappings"])
def test_an_invocation_goes_back_on_its_functions_queue(
    shop: Shop, found: str, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under its own id, which is that of every attempt; found by the queue's name, the destination's, or its path.
    Mutations: another id; a config of functions alone has nobody to ask for the way there (tried).
    """
    monkeypatch.chdir(shop.folder)
    config = yaml.safe_load((shop.folder / "c.yaml").read_text())
    if alone:
        del config["mappings"]
    dead = {"destination": "letters"}
    config["destinations"] = {"letters": {"type": "file", "path": "failed.jsonl"}}
    config["functions"]["f"]["event_invoke_config"] = {"destination_config": {"on_failure": dead}}
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    name = str(uuid4())
    shop.put(invocation({"order": 7}, name))
    status, _, err = shop.run("--to", "source", source=found)
    assert (status, shop.handled()) == (0, []), err
    (call,) = asyncio.run(_waiting(common.read([shop.folder / "c.yaml"])))
    assert (call.id, json.loads(call.event)["event"]) == (name, {"order": 7})


def test_where_there_are_functions_and_no_mappings(shop: Shop) -> None:
    """By the queue's name, and by the address. Mutation, tried: a way there is a mapping's alone."""
    config = yaml.safe_load((shop.folder / "c.yaml").read_text())
    dead = {"destination": {"type": "file", "path": "failed.jsonl"}}
    config["functions"]["f"]["event_invoke_config"] = {"destination_config": {"on_failure": dead}}
    del config["mappings"]
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    shop.put(invocation({"order": 7}, "req-7"))
    assert shop.run(source="function:f")[0] == 0
    assert [call["id"] for call in shop.handled()] == ["req-7"]
    assert "1 replayed before" in shop.run(source=str(shop.letters))[1]
    status, _, err = shop.run(source="kafka://dead")
    assert (status, "nothing says which servers; write kafka.bootstrap_servers" in err) == (2, True)


def test_a_topic_is_reached_by_the_mapping_that_leads_to_its_servers(shop: Shop) -> None:
    """Mutation, tried: by the first, which is a queue's."""
    config = yaml.safe_load((shop.folder / "c.yaml").read_text())
    source = {"type": "kafka", "topics": ["t"], "bootstrap_servers": "a:9092"}
    config["mappings"]["payments"] = {"source": source, "function": "f", "starting_position": "LATEST"}
    config["destinations"] = {"dead": {"type": "kafka", "topic": "dead", "bootstrap_servers": "b:9092"}}
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    places = Places(config=common.read([shop.folder / "c.yaml"], warn=False), known={})
    for source, place in (("kafka://failed", "['a:9092'] failed"), ("dead", "['b:9092'] dead")):
        assert asyncio.run(places.find(source, None)).text == f"kafka {place}"


def test_what_was_replayed_is_removed_when_asked(shop: Shop) -> None:
    """Mutation: the file written again without what somebody appended, or with its mode lost."""
    shop.put(failure(message("m1", "good")), failure(message("m2", "bad")), failure(message("m1", "good")))
    shop.letters.chmod(0o640)
    assert shop.run("--delete")[0] == 1
    (left,) = map(json.loads, shop.letters.read_text().splitlines())
    assert left["payload"]["Records"][0]["messageId"] == "m2"
    assert shop.letters.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "ordres"], "'ordres' is no place of letters"),
        (["--from", "orders", "--filter", "{"], "--filter: "),
        (["--from", "orders", "--class", "timeuot"], "did you mean timeout?"),
        (["--from", "orders", "--mapping", "clikcs"], "did you mean clicks?"),
        (["--from", "orders", "--function", "h"], "there is no function 'h'"),
        (["--from", "orders", "--since", "yesterday"], "--since: must be Unix seconds"),
        (["--from", "orders", "--edit", ".a +"], "--edit: jq: error: syntax error"),
        (["--from", "orders", "--rate", "0/s"], "--rate: must be N/s"),
        (["--from", "orders", "--rate", "fast"], "--rate: must be N/s"),
        (["--from", "orders", "--max", "0"], "--max: must be a whole number"),
        (["--from", "orders", "--range", "TRIM_HORIZON..LATEST"], "--range: orders: sqs keeps nothing"),
        (["--from", "clicks", "--shard", "s"], "--shard: is for a range"),
        (["--from", "clicks", "--range", "LATEST"], "--range: must be FROM..TO"),
        (["--from", "clicks", "--range", "soon..LATEST"], "'soon' must be TRIM_HORIZON"),
        (["--from", "clicks", "--range", "LATEST.."], "nothing lies there"),
        (["--from", "clicks", "--range", f"{'4' * 56}.."], "name it with --shard"),
        (["--from", "clicks", "--range", "..", "--delete"], "nothing is deleted from a stream"),
        (["--from", "clicks"], "clicks has no failure destination"),
        (["--from", "failed", "--range", ".."], "there is no mapping 'failed'"),
        (["--from", "orders", "--dry-run", "--restart"], "--restart: --dry-run changes nothing"),
        (["--from", "orders", "--dry-run", "--delete"], "--delete: --dry-run changes nothing"),
        (["--from", "redis://host/x#s"], "a database is a number"),
        (["--from", "https://nowhere"], "is no place of letters"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(shop: Shop, arguments: list[str], said: str) -> None:
    status = main(["replay", str(shop.folder / "c.yaml"), *arguments])
    err = shop.capsys.readouterr().err
    assert status == 2, err
    assert said in err


def test_windows_and_streams_of_tables_are_refused_where_they_cannot_be_honoured(shop: Shop) -> None:
    shop.write(clicks={"tumbling_window_in_seconds": 30})
    status, _, err = shop.run("--mapping", "clicks", source=str(shop.letters))
    assert status == 2
    assert "tumbling windows, whose state is gone" in err


def test_all_that_was_written_wrong_is_told_together(shop: Shop) -> None:
    """Mutation: one at a time."""
    wrong = ["--rate", "x", "--max", "-1", "--since", "foo", "--class", "bar", "--edit", ".a =", "--mapping", "ordres"]
    status, _, err = shop.run(*wrong)
    assert status == 2
    said = [line.partition(":")[0] for line in err.splitlines()]
    assert [one for one in said if one.startswith("--")] == ["--since", "--edit", "--max", "--rate"]
    assert "'bar'" in err
    assert "'ordres'" in err


@pytest.mark.parametrize(
    ("arguments", "called", "told"),
    [
        (["--mapping", "orders"], ["a"], "1 replayed, 2 skipped (1 an invocation of f, 1 an invocation of g)"),
        (["--mapping", "orders", "--to", "source", "--dry-run"], [], "2 skipped (1 an invocation of f, 1 an inv"),
        (["--function", "f"], ["a", "req-f"], "2 replayed, 1 skipped (1 an invocation of g)"),
        (["--mapping", "orders", "--function", "f"], ["a", "req-f"], "2 replayed, 1 skipped (1 an invocation of g)"),
    ],
)
def test_invocations_are_of_whom_they_say(shop: Shop, arguments: list[str], called: list[str], told: str) -> None:
    """Among letters of a mapping. Mutations, tried: of any mapping; given to whomever `--function` names."""
    shop.put(failure(message("m1", "a"), cls="timeout"), invocation({"n": 1}, "req-f"), invocation({}, "req-g", "g"))
    _, out, err = shop.run(*arguments, source=str(shop.letters))
    assert told in out, err
    calls = [(one["id"], one["event"]) for one in shop.handled()]
    assert [id_ if "n" in event else event["Records"][0]["body"] for id_, event in calls] == called


@pytest.mark.parametrize(("source", "function"), [("orders", []), ("failed.jsonl", ["--function", "f"])])
def test_in_a_place_that_several_share_each_letter_is_handled(shop: Shop, source: str, function: list[str]) -> None:
    """As the preview has it. Mutation, tried: the functions of the mapping and of `--function` alone."""
    to_file = {"on_failure": {"destination": {"type": "file", "path": "failed.jsonl"}}}
    shop.write(clicks={"destination_config": to_file})
    clicks = {"KinesisBatchInfo": {"streamArn": STREAM}, "headrace": {"service": "shop", "mapping": "clicks"}}
    shop.put(failure(message("m1", "a"), cls="timeout"), failure(click(1, "x"), click(2, "y"), **clicks))
    _, out, err = shop.run(*function, source=source.replace("failed", str(shop.folder / "failed")))
    assert "1 replayed, 1 failed again" in out, err
    assert len(shop.handled()) == 2


def test_a_function_that_was_renamed_has_its_letters(shop: Shop) -> None:
    """Mutation, tried: only letters of that very name."""
    shop.put(invocation({"n": 1}, "req-1", "old"))
    status, _, err = shop.run("--function", "f", source=str(shop.letters))
    assert (status, [one["id"] for one in shop.handled()]) == (0, ["req-1"]), err


def test_invocations_that_a_schedule_made_are_its_own(shop: Shop) -> None:
    """Mutation, tried: no mapping has any."""
    shop.write(clicks={"source": {"type": "schedule", "schedule_expression": "rate(1 hour)"}, "function": "f"})
    config = yaml.safe_load((shop.folder / "c.yaml").read_text())
    for strange in ("starting_position", "function_response_types"):
        del config["mappings"]["clicks"][strange]
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    shop.put(invocation({"n": 1}, "req-f"), invocation({}, "req-g", "g"))
    status, out, err = shop.run("--mapping", "clicks", source=str(shop.letters))
    assert (status, [one["id"] for one in shop.handled()]) == (0, ["req-f"]), err
    assert "1 replayed, 1 skipped (1 an invocation of g)" in out


def test_from_a_destination_by_its_name_and_from_several(shop: Shop) -> None:
    """Mutation: kinds alone, of which nobody can choose.

    Catches: `redis Redis at cache:6379/1 lost`, and `s3 None lost/`: what tells two places apart, for a person to read.
    """
    config = yaml.safe_load((shop.folder / "c.yaml").read_text())
    config["destinations"] = {"audit": {"type": "file", "path": str(shop.letters)}}
    both = [{"type": "file", "path": "other.jsonl"}, "audit"]
    config["mappings"]["orders"]["destination_config"] = {"on_failure": {"destination": both}}
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    shop.put(failure(message("m1", "a")))
    status, _, err = shop.run()
    assert status == 2
    assert f"orders sends to several places (file {shop.folder}/other.jsonl, audit: file {shop.letters})" in err
    status, _, err = shop.run(source="audit")
    assert (status, shop.bodies()) == (0, ["a"]), err
    queues = [f"arn:aws:sqs:eu-central-1:000000000000:{name}" for name in ("lost", "late")]
    config["mappings"]["orders"]["destination_config"] = {"on_failure": {"destination": queues}}
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    status, _, err = shop.run()
    assert f"orders sends to several places (sqs {queues[0]}, sqs {queues[1]}): write which one" in err
    others = [
        {"type": "redis", "url": "redis://user:secret@cache:6379/1", "stream": "lost"},
        {"type": "kafka", "topic": "lost", "bootstrap_servers": "broker:9092"},
        "arn:aws:s3:::lost",
    ]
    config["mappings"]["orders"]["destination_config"] = {"on_failure": {"destination": others}}
    (shop.folder / "c.yaml").write_text(yaml.safe_dump(config))
    status, _, err = shop.run()
    assert "several places (redis cache:6379/1#lost, kafka lost, s3 lost/): write which one" in err


def test_of_a_mapping_with_idempotency_a_key_is_run_once_and_what_failed_again(shop: Shop) -> None:
    """By the verdicts in the service's own store. Mutations: run though it is remembered; remembered though it failed;
    what has no key is not run."""
    shop.write(idempotency={"key": "body.order"})
    shop.put(
        failure(message("m1", {"order": 1}), message("m2", {"order": 1}), message("m3", {"order": 2})),
        failure(message("m4", {"order": 2})),
        failure(message("m5", {"order": 3, "bad": 1})),
        failure(message("m6", {})),
    )
    status, out, err = shop.run()
    assert status == 1, err
    assert [[one["messageId"] for one in call["event"]["Records"]] for call in shop.handled()] == [
        ["m1", "m3"],
        ["m5"],
        ["m6"],
    ]
    assert "3 replayed, 1 failed again" in out
    assert shop.run("--restart")[0] == 1
    assert [[one["messageId"] for one in call["event"]["Records"]] for call in shop.handled()] == [["m5"], ["m6"]]


async def _held_by_another(config: Config, order: int, *, done: bool) -> None:
    async with opened(config) as ledger:
        keys = [digest(order)]
        await ledger.begin("orders", keys, "another", 2.0)
        if done:
            await ledger.finish("orders", keys, "another", 60.0)


@pytest.mark.parametrize(("done", "handled"), [(False, ["m1"]), (True, [])])
def test_a_key_that_another_has_begun_is_waited_for(shop: Shop, done: bool, handled: list[str]) -> None:
    """Run when the other has let it expire, and not where the other has run it. Mutation: run beside the other."""
    shop.write(idempotency={"key": "body.order"})
    asyncio.run(_held_by_another(common.read([shop.folder / "c.yaml"], warn=False), 1, done=done))
    shop.put(failure(message("m1", {"order": 1})))
    status, out, err = shop.run()
    assert (status, [one["messageId"] for call in shop.handled() for one in call["event"]["Records"]]) == (0, handled)
    assert "1 replayed" in out, err


def test_a_file_that_is_none_of_progress_stays_as_it_is(shop: Shop) -> None:
    """Mutation, tried: the letters themselves are cut off, by --restart, and a config has lines added to it."""
    shop.put(failure(message("m1", "a")))
    before = shop.letters.read_bytes()
    for arguments in (["--restart"], []):
        status, _, err = shop.run("--progress", str(shop.letters), *arguments)
        assert (status, shop.handled(), shop.letters.read_bytes()) == (2, [], before)
        assert "holds something else than what was replayed: name another file" in err
    status, _, err = shop.run("--progress", str(shop.folder))
    assert (status, f"--progress: {shop.folder} cannot be kept: Is a directory" in err) == (2, True)


def test_a_file_that_is_not_there(shop: Shop) -> None:
    status, _, err = shop.run()
    assert status == 1
    assert "failed.jsonl cannot be read" in err
