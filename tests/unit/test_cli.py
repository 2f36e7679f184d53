"""Every other command as a process: what it prints, where, and with which exit status."""

import json
import os
import re
import subprocess
import sys

import pytest

from support.command import project, wait_for


@pytest.fixture
def shop(tmp_path):
    with project(tmp_path) as made:
        yield made


def test_without_arguments_help(shop):
    done = shop.run()
    assert done.returncode == 2
    for command in ("run", "check", "explain", "schema", "connectors", "invoke", "status", "test-event-pattern"):
        assert re.search(rf"^ +{command}\b", done.stdout, re.MULTILINE)


def test_version(shop):
    assert re.fullmatch(r"headrace \d+\.\d+\.\d+\n", shop.run("--version").stdout)


def test_a_command_that_is_not_there(shop):
    done = shop.run("rum", "config.yaml")
    assert done.returncode == 2
    assert "run" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "check", "explain", "invoke", "status"])
def test_faults_are_one_line_each(shop, command):
    shop.config.write_text(
        "service: {name: shop}\nfunctions:\n  f: {handler: handlers.ok}\n"
        "mappings:\n  orders:\n    source: {type: memory}\n    function: f\n    batch_sise: 3\n    enabled: 7\n"
    )
    done = shop.run(command, "config.yaml", *(["f"] if command == "invoke" else []))
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first == "config.yaml:8: mappings.orders.batch_sise: unknown option; did you mean batch_size?"
    assert second.startswith("config.yaml:9: mappings.orders.enabled: ")


def test_check(shop):
    shop.write(source={"visibility": 0.5})
    done = shop.run("check", "config.yaml")
    assert (done.returncode, done.stdout) == (0, "ok: 1 mapping, 1 function, 1 warning\n")
    assert re.fullmatch(
        r"warning: config\.yaml:\d+: mappings\.orders\.source\.visibility: shorter than any handler takes\n",
        done.stderr,
    )


def test_check_loads_the_handlers(shop):
    shop.write("nothing")
    done = shop.run("check", "config.yaml")
    assert done.returncode == 2
    assert re.match(r"config\.yaml:\d+: functions\.f.*handlers", done.stderr)


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ({}, 0, r"warning: config\.yaml:\d+: mappings\.orders: the queue has no dead-letter queue"),
        ({"missing": True}, 2, r"config\.yaml:\d+: mappings\.orders\.source\.count: there is no such queue; create it"),
        ({"count": 99}, 2, r"config\.yaml:\d+: mappings\.orders\.source: the server could not be asked: .*is gone"),
    ],
)
def test_check_asks_the_servers(shop, source, status, said):
    shop.write(source=source)
    done = shop.run("check", "config.yaml", "--connect")
    assert done.returncode == status
    assert re.match(said, done.stderr)


def test_explain_says_where_each_value_came_from(shop):
    shop.write(batch_size=7)
    done = shop.run("explain", "config.yaml", "orders", "--json")
    rows = {row["path"]: row for row in json.loads(done.stdout)}
    assert rows["mappings.orders.batch_size"]["value"] == 7
    assert rows["mappings.orders.batch_size"]["place"].startswith("config.yaml:")
    assert rows["mappings.orders.response_mode"]["origin"] == "default"
    assert rows["mappings.orders.source.visibility"] == {
        "path": "mappings.orders.source.visibility",
        "value": 77.0,
        "origin": "queue",
        "place": "",
    }
    table = shop.run("explain", "config.yaml").stdout
    assert re.search(r"^mappings\.orders\.batch_size +7 +config\.yaml:\d+$", table.replace(" \n", "\n"), re.MULTILINE)
    assert re.search(r"^service\.name +shop +config\.yaml:\d+", table, re.MULTILINE)


def test_explain_says_when_it_could_not_ask(shop):
    shop.write(source={"count": 99})
    done = shop.run("explain", "config.yaml")
    assert done.returncode == 0
    assert "the server could not be asked" in done.stderr
    assert shop.run("explain", "config.yaml", "--offline").stderr == ""


def test_explain_of_a_mapping_that_is_not_there(shop):
    shop.write()
    done = shop.run("explain", "config.yaml", "order")
    assert (done.returncode, done.stderr) == (2, "there is no mapping 'order'; did you mean orders?\n")


def test_schema(shop):
    schema = json.loads(shop.run("schema").stdout)
    assert "mappings" in schema["properties"]


def test_connectors(shop):
    assert re.search(r"^memory +source +A queue in memory, for tests\.", shop.run("connectors").stdout, re.MULTILINE)
    assert {"type": "memory", "role": "source", "summary": "A queue in memory, for tests."} in json.loads(
        shop.run("connectors", "--json").stdout
    )
    done = shop.run("connectors", "memry")
    assert (done.returncode, done.stderr) == (2, "there is no connector 'memry'; did you mean memory?\n")


def test_every_option_of_a_connector_is_documented(shop):
    described = json.loads(shop.run("connectors", "memory", "--json").stdout)
    count = next(option for option in described["source"] if option["name"] == "count")
    assert count == {
        "name": "count",
        "type": "integer",
        "required": False,
        "default": 0,
        "limits": "≥ 0, ≤ 100000",
        "description": "Messages at the start, with ids 0, 1, 2, …",
    }
    mapping = {option["name"]: option for option in described["mapping"]}
    assert mapping["batch_size"]["default"] == 10
    assert mapping["response_mode"]["type"] == "aws | strict"
    assert mapping["scaling_config.maximum_concurrency"]["limits"] == "≥ 1, ≤ 1000"
    assert mapping["function_response_types"]["type"] == 'list of "ReportBatchItemFailures"'
    assert "starting_position" not in mapping
    assert described["refuses"] == {"starting_position": "a queue has no position: leave it out"}
    table = shop.run("connectors", "memory").stdout
    assert re.search(r"^count +integer +0 +≥ 0, ≤ 100000 +Messages at the start", table, re.MULTILINE)
    assert "a queue has no position" in table


def test_invoke(shop):
    shop.write("echo")
    (shop.folder / "event.json").write_text('{"a": 1}')
    done = shop.run("invoke", "config.yaml", "f", "--event", "event.json")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r'hello\nanswer:   \{\n  "a": 1\n\}\nduration: \d+\.\d ms\nverdict:  success\n', done.stdout)


def test_what_a_handler_prints_is_not_part_of_the_json(shop):
    shop.write("echo")
    done = shop.run("invoke", "config.yaml", "f", "--json")
    assert json.loads(done.stdout)["answer"] == {}
    assert done.stderr == "hello\n"


def test_invoke_that_fails(shop):
    shop.write("boom")
    done = shop.run("invoke", "config.yaml", "f", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"], answer["answer"]) == (1, "error", None)
    assert (answer["error"]["errorType"], answer["error"]["errorMessage"]) == ("ValueError", "boom")
    assert "ValueError: boom" in shop.run("invoke", "config.yaml", "f").stdout


@pytest.mark.parametrize(
    ("types", "verdict", "status"), [(["ReportBatchItemFailures"], "partial", 1), ([], "success", 0)]
)
def test_invoke_reads_the_answer_as_the_mapping_does(shop, types, verdict, status):
    shop.write("odd", function_response_types=types)
    (shop.folder / "event.json").write_text('{"Records": [{"messageId": "1"}, {"messageId": "2"}]}')
    done = shop.run("invoke", "config.yaml", "f", "--event", "event.json", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["verdict"]) == (status, verdict)
    assert answer["failed"] == (["1"] if types else [])


def test_invoke_with_the_region_and_the_mapping(shop):
    shop.write("who")
    shop.config.write_text(shop.config.read_text() + "space: {region: mars-north-1}\n")
    answer = json.loads(shop.run("invoke", "config.yaml", "f", "--json").stdout)["answer"]
    assert answer[0] == "f"
    assert answer[1].endswith(":000000000000:function:f")
    assert answer[2] == "orders"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["g"], "there is no function 'g'; known are f"),
        (["f", "--event", "none.json"], "--event: none.json cannot be read: No such file or directory; name a file"),
        (["f", "--event", "config.yaml"], "--event: config.yaml cannot be read as JSON: "),
        (["f", "--event", "-"], "--event: standard input cannot be read as JSON: "),
    ],
)
def test_invoke_that_cannot_be(shop, arguments, said):
    shop.write()
    done = shop.run("invoke", "config.yaml", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)


def test_status_of_a_running_service(shop, own_port):
    shop.write("hung", source={"count": 4}, service={"listen": f"127.0.0.1:{own_port}"}, batch_size=2)
    running = shop.start("run", "config.yaml")
    wait_for(lambda: len(shop.handled()) == 4, "the handlers hang")
    done = shop.run("status", "config.yaml")
    assert done.returncode == 0, done.stderr
    head, row = done.stdout.splitlines()
    assert head.split()[0] == "mapping"
    assert re.match(r"orders +1 +polling +\S+ +\S+ +.*4 +0 +0", row)
    answer = json.loads(shop.run("status", "config.yaml", "--json").stdout)
    assert answer["service"] == "shop"
    assert answer["mappings"][0]["in_flight"] == 4
    shop.config.write_text(shop.config.read_text().replace("name: shop", "name: other"))
    done = shop.run("status", "config.yaml")
    assert done.returncode == 1
    assert "is 'shop', not 'other'" in done.stderr
    assert running.process.poll() is None


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        (None, "service.listen is null"),
        ("127.0.0.1:0", "port 0"),
        ("free", "nothing answers at 127.0.0.1:"),
    ],
)
def test_status_of_no_service(shop, listen, said, own_port):
    shop.write(service={"listen": f"127.0.0.1:{own_port}" if listen == "free" else listen})
    done = shop.run("status", "config.yaml")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_who_reads_our_output_may_leave(shop):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as closed:
        command = [sys.executable, "-m", "headrace.cli.main", "connectors", "memory"]
        done = subprocess.run(command, env=shop.environment, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")


NO_EVENT = "--event: $: Event is not valid. Reason: Event is not an object; write a JSON object\n"
BAD = "Event pattern is not valid. Reason: "
NO_PREFIX = f"--event-pattern: $.a[0].prefix: {BAD}prefix match pattern must be a string; write a text\n"
NO_VALUES = f"--event-pattern: $.b: {BAD}Empty arrays are not allowed; write the values of which one is wanted\n"


class TestEventPattern:
    @pytest.mark.parametrize(
        ("pattern", "event", "status", "out", "err"),
        [
            ('{"a": [{"numeric": [">", 0]}]}', '{"a": 1}', 0, '{"Result": true}\n', ""),
            ('{"a": [{"numeric": [">", 0]}]}', '{"a": 0}', 1, '{"Result": false}\n', ""),
            ('{"body": {"a": [1]}}', '{"body": "{\\"a\\": 1}"}', 1, '{"Result": false}\n', ""),
            ('{"a": [12345678901234567890]}', '{"a": 12345678901234567891}', 1, '{"Result": false}\n', ""),
            ('{"a": ["x"]}', '{"a": "x", "a": "y"}', 0, '{"Result": true}\n', ""),
            (
                '{"a": [{"prefix": 1}], "b": []}',
                "[]",
                2,
                "",
                NO_EVENT + NO_PREFIX + NO_VALUES,
            ),
            (
                '{"a": [1]}',
                '{"a": NaN}',
                2,
                "",
                "--event: Event is not valid. Reason: it is not JSON: NaN is not JSON\n",
            ),
            ("[" * 4000, '{"a": 1}', 2, "", None),
            (
                '{"a": [1]}',
                "[" * 100_000,
                2,
                "",
                "--event: Event is not valid. Reason: it is not JSON: nested too deep",
            ),
            ("file://no.json", '{"a": 1}', 2, "", "--event-pattern: no.json cannot be read: No such file or directory"),
            ("file://latin.json", "file://event.json", 2, "", "--event-pattern: latin.json is not UTF-8"),
            ("file://pattern.json", "file://event.json", 0, '{"Result": true}\n', ""),
        ],
    )
    def test_event_pattern(self, shop, pattern, event, status, out, err):  # noqa: PLR0917 - a table
        """Catches: another exit status; a place or a fault left out; the body parsed as for a mapping."""
        (shop.folder / "pattern.json").write_text('{"ä": ["ö"]}', "utf-8")
        (shop.folder / "event.json").write_text('{"ä": "ö"}', "utf-8-sig")
        (shop.folder / "latin.json").write_bytes(b'{"a": ["\xe4"]}')
        done = shop.run("test-event-pattern", "--event-pattern", pattern, "--event", event)
        assert (done.returncode, done.stdout) == (status, out), done.stderr
        assert "Traceback" not in done.stderr
        if err is not None:
            assert done.stderr == err if err.endswith("\n") or not err else done.stderr.startswith(err)

    def test_how_filters_read(self, shop):
        pattern = {"body": {"total": [{"numeric": [">", 0]}], "kind": ["a"]}}
        shop.write(filter_criteria={"filters": [{"pattern": pattern}, {"pattern": '{"messageId": ["1"]}'}]})
        done = shop.run("explain", "config.yaml", "--offline")
        said = re.findall(r"filters(\[\d\])\S+ +(.*?) +config\.yaml:\d+", done.stdout)
        assert said == [
            ("[0]", 'body.kind: "a"'),
            ("[0]", "AND body.total: a number > 0"),
            ("[1]", 'OR messageId: "1"'),
        ]
