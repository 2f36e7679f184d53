import os
from dataclasses import replace
from pathlib import Path

import pytest

from headrace import config
from headrace.config import Config
from headrace.config.effective import effective
from headrace.config.shape import nearest
from headrace.errors import ConfigError
from headrace.settings import MappingSettings, host_and_port
from support.fake_catalog import CATALOG, ENVIRON, EXAMPLE, LOG, QUEUE, SECRET, write

BASE = """\
service: {name: shop}
functions:
  record: {handler: shop.orders.handler}
mappings:
  orders:
    source:
      type: queue
      queue_url: http://localhost/orders
      SOURCE: 1
    function: record
    MAPPING: 1
"""
"""Lines 2, 8 (as 9) and 10 (as 11) are where tests put theirs."""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(text: str, environ: dict[str, str] | None = None) -> Config:
    write(Path(), text, "f.yaml")
    return config.load([Path("f.yaml")], CATALOG, environ or {})


def faults(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, environ)
    return str(caught.value).splitlines()


def base(mapping: str = "", source: str = "") -> str:
    return BASE.replace("MAPPING: 1", mapping).replace("SOURCE: 1", source)


def test_the_example_loads(tmp_path):
    found = load(EXAMPLE, ENVIRON)
    assert found.service.name == "shop"
    assert found.base == tmp_path
    assert found.functions["record"].path == str(tmp_path / "src")
    assert found.functions["count"].path is None
    assert found.functions["record"].environment == {"TABLE": "orders", "KEY": SECRET}
    assert found.sections["cloud"].region == "eu-central-1"
    assert found.warnings == ()
    orders = found.mappings["orders"]
    assert orders.name == "orders"
    assert orders.connector is QUEUE
    assert orders.options.login.password.get_secret_value() == SECRET
    assert orders.function == "record"
    assert found.opening("orders").function_timeout == 30
    assert found.opening("orders").sections["cloud"].region == "eu-central-1"
    assert SECRET not in repr(found.functions)


def test_effective_settings_of_a_queue():
    found = load(base("maximum_batching_window_in_seconds: 3\n    batch_size: null")).mappings["orders"]
    settings = found.settings
    assert (settings.batch_size, settings.capacity, settings.maximum_batching_window_in_seconds) == (10, 1000, 3)
    assert settings.scaling_config.maximum_concurrency == 10
    assert settings.starting_position is None
    assert settings.parallelization_factor is None
    assert found.origin["maximum_batching_window_in_seconds"] == "file"
    assert found.origin["batch_size"] == "default"
    assert found.origin.keys() == MappingSettings.model_fields.keys()


def test_effective_settings_of_a_log():
    text = base().replace("type: queue", "type: log").replace("queue_url: http://localhost/orders", "stream: a")
    found = load(text).mappings["orders"]
    assert (found.settings.batch_size, found.settings.capacity) == (100, 1000)
    assert found.settings.scaling_config is None
    assert found.settings.parallelization_factor == 1
    assert found.origin["batch_size"] == "default of log"


def test_capacity_follows_the_batch_size():
    mapping = load(base("batch_size: 500\n    maximum_batching_window_in_seconds: 1")).mappings["orders"]
    assert mapping.settings.capacity == 5000


def test_settings_of_the_environment_keep_their_types():
    assert load(base("batch_size: ${N:-7}")).mappings["orders"].settings.batch_size == 7
    assert load(base("batch_size: ${N:-7}"), {"N": "8"}).mappings["orders"].settings.batch_size == 8


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("HEADRACE_TEST_SIZE", "9")
    path = write(Path(), base("batch_size: ${HEADRACE_TEST_SIZE}"), "g.yaml")
    assert "HEADRACE_TEST_SIZE" in os.environ
    assert config.load([path], CATALOG).mappings["orders"].settings.batch_size == 9


@pytest.mark.parametrize(
    ("mapping", "fault"),
    [
        ("batch_sise: 1", "batch_sise: unknown option; did you mean batch_size?"),
        ("BatchSize: 1", "BatchSize: unknown option; did you mean batch_size?"),
        ("batch-size: 1", "batch-size: unknown option; did you mean batch_size?"),
        ("zzz: 1", "zzz: unknown option; known are batch_size, bisect_batch"),
        ("queue_url: x", "queue_url: unknown option here; it belongs in source"),
        ("batch_size: 0", "batch_size: must be 1 to 10000, got 0"),
        ("batch_size: 10001", "batch_size: must be 1 to 10000, got 10001"),
        ("batch_size: 9999999999999999999999999999999", "batch_size: must be 1 to 10000, got 99999"),
        (
            'batch_size: "10"',
            "batch_size: must be a whole number, 1 to 10000, got the text '10'; write it without quotes",
        ),
        ("batch_size: ten", "batch_size: must be a whole number, 1 to 10000, got the text 'ten'"),
        ("batch_size: 1.5", "batch_size: must be a whole number, 1 to 10000, got 1.5"),
        ("batch_size: true", "batch_size: must be a whole number, 1 to 10000, got true"),
        ("batch_size: [1]", "batch_size: must be a whole number, 1 to 10000, got a list"),
        ("batch_size: {a: 1}", "batch_size: must be a whole number, 1 to 10000, got a mapping"),
        ("enabled: yes", "enabled: must be true or false, got the text 'yes'; write true or false, without quotes"),
        ("enabled: 1", "enabled: must be true or false, got 1"),
        ("enabled:", "enabled: must be true or false, got nothing"),
        ("response_mode: strct", "response_mode: must be aws or strict, got the text 'strct'"),
        ("response_mode: 1", "response_mode: must be aws or strict, got 1"),
        ("function_response_types: ReportBatchItemFailures", "must be a list, of at most 1 item, got the text"),
        ("function_response_types: ReportBatchItemFailures", "; put it in [ ]"),
        (
            "function_response_types: [Report]",
            "function_response_types[0]: must be ReportBatchItemFailures, got the text",
        ),
        (
            "function_response_types: [ReportBatchItemFailures, ReportBatchItemFailures]",
            "function_response_types: must be a list, of at most 1 item, got a list",
        ),
        ("scaling_config: 5", "scaling_config: must be a mapping, got 5"),
        ("scaling_config: {maximum_concurrency: 0}", "scaling_config.maximum_concurrency: must be 1 to 1000, got 0"),
        ("scaling_config: {maximum: 5}", "scaling_config.maximum: unknown option; did you mean maximum_concurrency?"),
        ("retry_backoff: {initial: 5, maximum: 1}", "retry_backoff: initial must not be above maximum"),
        ("retry_backoff: {initial: -1}", "retry_backoff.initial: must be 0 to 43200, got -1"),
        ("retry_backoff: {initial: -.5}", "retry_backoff.initial: must be 0 to 43200, got -0.5"),
        ("retry_backoff: {initial: .inf}", "retry_backoff.initial: must be a finite number"),
        ("maximum_record_age_in_seconds: 59", "maximum_record_age_in_seconds: must be -1 (no limit) or 60 to 604800"),
        ("starting_position_timestamp: [1]", "starting_position_timestamp: must be a text or a number, got a list"),
        ("parallelization_factor: 99", "parallelization_factor: a queue has no shards"),
        ("starting_position: LATEST", "starting_position: a queue has no positions"),
        ("capacity: 5", "capacity: must be at least batch_size"),
        ("capacity_bytes: 5", "capacity_bytes: must be at least 8388608, got 5"),
        ("batch_size: 11", "batch_size: above 10 needs a window"),
        ("batch_size: ${NO}", "batch_size: the environment variable NO is not set"),
        ("batch_size: 3\n    batch_size: 4", "batch_size: given twice, first on line 11"),
    ],
)
def test_a_fault_of_a_mapping_has_its_place_and_mend(mapping, fault):
    found = faults(base(mapping))
    assert len(found) == 1
    assert found[0].startswith(("f.yaml:11: mappings.orders.", "f.yaml:12: mappings.orders."))
    assert fault in found[0]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("batch_size: 1", "batch_size: unknown option here; it belongs beside source, not in it"),
        ("visibilty_timeout: 1", "visibilty_timeout: unknown option; did you mean visibility_timeout?"),
        ("mode: 5", "mode: must be fast or slow, got 5"),
        ("ratio: 1", "ratio: must be more than 0 and less than 1, got 1"),
        ("ratio: a", "ratio: must be a number, more than 0 and less than 1, got the text 'a'"),
        ("tags: [a, b, c]", "tags: must be a list, of at most 2 items, got a list"),
        ("tags: [1]", "tags[0]: must be a text, got 1; put it in quotes"),
        ("tags: [[a]]", "tags[0]: must be a text, got a list"),
        ("login: {username: me}", "login.password: is required: a text"),
        ("login: {username: me, password: 12345}", "login.password: must be a text"),
        ("login: []", "login: must be a mapping, got an empty list"),
        ("session_token: [12345]", "session_token: must be a text, got a list"),
        ("session_token: 12345", "session_token: must be a text, got a number; put it in quotes"),
        ("refused_token: abc12345", "refused_token: *** is not for queues"),
    ],
)
def test_a_fault_of_a_source(source, fault):
    found = faults(base(source=source))
    assert len(found) == 1
    assert found[0].startswith("f.yaml:9: mappings.orders.source.")
    assert fault in found[0]
    assert "12345" not in found[0]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("{type: log, stream: ''}", "stream: must be a text, not empty, of the form ^[a-z-]+$, got the text ''"),
        ("{type: log, stream: A}", "stream: must be a text, not empty, of the form ^[a-z-]+$, got the text 'A'"),
        ("{type: log, stream: a, topics: []}", "topics: must be a list, not empty, got an empty list"),
        ("{type: log}", "stream: is required: a text, not empty"),
        ("{type: lug, stream: a}", "type: there is no such source; did you mean log?"),
        ("{type: 5, stream: a}", "type: there is no such source; known are queue, log"),
        ("{type: [], stream: a}", "type: is required; known are queue, log"),
        ("{stream: a}", "type: is required; known are queue, log"),
        ("[]", "source: must be a mapping: {type: queue | log, …}"),
        ("", "source: is empty; fill it or remove it: {type: queue | log, …}"),
        ("{type: queue, queue_url: orders}", "source.queue_url: 'orders' is not a URL"),
        (
            f"{{type: queue, queue_url: 'x://{'y' * 300}'}}",
            "source.queue_url: must be a text, of at most 200 characters",
        ),
    ],
)
def test_other_sources(options, fault):
    text = "service: {name: a}\nfunctions: {f: {handler: a.b}}\nmappings:\n  m:\n"
    text += f"    source: {options}\n    function: f\n"
    found = faults(text)
    assert len(found) == 1
    assert found[0].startswith("f.yaml:5: mappings.m.source")
    assert fault in found[0]


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        ("{}", "functions.f.handler: is required: a text"),
        ("{handler: handler}", "functions.f.handler: must be module.function"),
        ("{handler: a.b, timeout: 0}", "functions.f.timeout: must be more than 0 and at most 900, got 0"),
        ("{handler: a.b, timeout: 901}", "functions.f.timeout: must be more than 0 and at most 900, got 901"),
        (
            "{handler: a.b, timeout: 30s}",
            "functions.f.timeout: must be a number, more than 0 and at most 900, got the text",
        ),
        (
            "{handler: a.b, environment: {PORT: 8080}}",
            "functions.f.environment.PORT: must be a text, got a number; put it in",
        ),
        ("{handler: a.b, environment: {ON: true}}", "functions.f.environment.ON: must be a text, got true or false"),
        ("{handler: a.b, environment: {ON: null}}", "functions.f.environment.ON: must be a text, got nothing"),
        ("{handler: a.b, environment: hunter2}", "functions.f.environment: must be a mapping, got a text"),
        ("{handler: a.b, path: [x]}", "functions.f.path: must be a text, got a list"),
        ("{handler: a.b, time_out: 3}", "functions.f.time_out: unknown option; did you mean timeout?"),
        ("", "functions.f: is empty; fill it or remove it"),
        ("a.b", "functions.f: must be a mapping"),
    ],
)
def test_a_fault_of_a_function(function, fault):
    found = faults(
        base().replace("record: {handler: shop.orders.handler}", f"f: {function}").replace(": record", ": f")
    )
    assert len(found) == 1
    assert found[0].startswith(f"f.yaml:3: {fault}")


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        ("{}", "service.name: is required: a text, of the form"),
        ("", "service: is empty; fill it or remove it"),
        ("[]", "service: must be a mapping"),
        ("{name: a b}", "service.name: must be a text, of the form ^"),
        (
            "{name: a, state: 'etcd://h'}",
            "service.state: names no ledger: it begins with one of memory:, sqlite:",
        ),
        ("{name: a, state: 'sqlite:'}", "service.state: 'sqlite:' names no file; write sqlite:PATH"),
        ("{name: a, listen: localhost}", "service.listen: must be HOST:PORT"),
        ("{name: a, listen: 8480}", "service.listen: must be a text, got 8480"),
        ("{name: a, listen: '::1:80'}", "service.listen: must be HOST:PORT"),
        ("{name: a, listen: 'h:65536'}", "service.listen: must be HOST:PORT"),
        ("{name: a, drain_timeout: -1}", "service.drain_timeout: must be 0 to 86400, got -1"),
        (
            "{name: a, log: {level: warn}}",
            "service.log.level: must be debug, info, warning or error, got the text 'warn'",
        ),
        ("{name: a, log: }", "service.log: must be a mapping, got nothing"),
    ],
)
def test_a_fault_of_the_service(service, fault):
    found = faults(base().replace("{name: shop}", service))
    assert len(found) == 1
    assert found[0].startswith(f"f.yaml:1: {fault}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (base().replace("service: {name: shop}", ""), "f.yaml:2: service: is required"),
        (base() + "clod: {}\n", "clod: unknown option; did you mean cloud?"),
        (base() + "mapings: {}\n", "mapings: unknown option; did you mean mappings?"),
        (base() + "cloud:\n", "cloud: is empty; fill it or remove it"),
        (base() + "cloud: {regoin: x}\n", "cloud.regoin: unknown option; did you mean region?"),
        ("service: {name: a}\n", "f.yaml:1: mappings: no mapping is given"),
        ("service: {name: a}\nmappings: {}\n", "f.yaml:2: mappings: no mapping is given"),
        ("service: {name: a}\nmappings:\n", "f.yaml:2: mappings: is empty; fill it or remove it"),
        ("service: {name: a}\nmappings: []\n", "f.yaml:2: mappings: must be a mapping from names to mappings"),
        (base() + "  more:\n", "f.yaml:12: mappings.more: is empty"),
        (base() + "  more: x\n", "f.yaml:12: mappings.more: must be a mapping with source and function"),
        (base().replace("  orders:", "  a.b:"), "f.yaml:5: mappings.a.b: a name takes letters"),
        (
            base().replace("function: record", "function: recrod"),
            "function: there is no such function; did you mean record?",
        ),
        (base().replace("function: record", "function: zzz"), "function: there is no such function; known are record"),
        (base().replace("function: record", "function: [record]"), "function: is required: the name of one"),
        (base().replace("function: record", ""), "function: is required: the name of one"),
    ],
)
def test_a_fault_of_the_whole(text, fault):
    found = faults(text)
    assert len(found) == 1
    assert fault in found[0]


def test_no_functions_at_all():
    text = base().replace("functions:\n  record: {handler: shop.orders.handler}\n", "")
    assert faults(text) == ["f.yaml:8: mappings.orders.function: there is no such function; add it to functions:"]
    broken = base().replace("  record: {handler: shop.orders.handler}\n", "")
    assert faults(broken)[0] == "f.yaml:2: functions: is empty; fill it or remove it"


def test_all_faults_at_once_in_the_order_of_the_lines():
    text = base("batch_sise: 1\n    enabled: 1\n    batch_size: ${NO}", "mode: x")
    text = text.replace("name: shop", "name: shop, listen: x").replace("function: record", "function: x")
    found = faults(text)
    assert [line.split(": ")[0] for line in found] == [f"f.yaml:{line}" for line in (1, 9, 10, 11, 12, 13)]


def test_a_connector_is_asked_even_when_the_function_is_wrong():
    found = faults(base("batch_size: 11").replace("function: record", "function: x"))
    assert [line.split(": ")[1] for line in found] == ["mappings.orders.function", "mappings.orders.batch_size"]


def test_a_connector_is_not_asked_about_a_value_that_is_missing():
    found = faults(base("batch_size: 11\n    maximum_batching_window_in_seconds: ${NO}"))
    assert [line.split(": ")[1] for line in found] == ["mappings.orders.maximum_batching_window_in_seconds"]


def test_general_defaults_stop_at_what_a_source_is_and_refuses():
    nothing = MappingSettings()
    assert effective(replace(QUEUE, refuses={"scaling_config": "no"}), nothing)[0].scaling_config is None
    assert effective(replace(QUEUE, refuses={"batch_size": "no"}), nothing)[0].batch_size is None
    assert effective(replace(LOG, refuses={}), nothing)[0].scaling_config is None
    assert effective(replace(LOG, refuses={"batch_size": "no"}), nothing)[0].batch_size is None


def test_warnings_have_their_place():
    text = base(source="visibility_timeout: 1")
    assert [str(warning) for warning in load(text).warnings] == [
        "f.yaml:9: mappings.orders.source.visibility_timeout: shorter than the time-out of the function"
    ]


def test_a_function_that_nobody_uses_is_fine():
    assert load(base().replace("mappings:", "  other: {handler: a.b}\nmappings:")).functions.keys() == {
        "record",
        "other",
    }


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            base("batch_size: ${S}"),
            base("response_mode: '${S}'"),
            base("function_response_types: ['${S}']"),
            base("filter_criteria: 1\n    enabled: '${S}'"),
            base("filter_criteria: {filters: [{pattern: {body: {ip: [{cidr: '${S}'}], b: '${S}'}}}]}"),
            base('filter_criteria: {filters: [{pattern: \'{"${S}": 1, "a": [{"${S}": 1}]}\'}, {pattern: \'${S}\'}]}'),
            base(source="mode: ${S}"),
            base(source="tags: ['${S}', '${S}', '${S}']"),
            base(source="refused_token: ${S}"),
            base(source="login: {username: '${S}'}"),
            base().replace("http://localhost/orders", "${S}"),
            base().replace("http://localhost/orders", "http://u:${S}@h/none"),
            base().replace("type: queue", "type: ${S}"),
            base().replace("function: record", "function: ${S}"),
            base().replace("name: shop", "name: '${S}', listen: '${S}', state: '${S}'"),
            base().replace("shop.orders.handler", "'${S}', timeout: '${S}'"),
            base().replace("shop.orders.handler", "a.b, environment: '${S}'"),
            base("enabled: '${NO}${S}'"),
        ],
    )
    def test_a_value_of_the_environment_is_in_no_fault(self, text):
        found = faults(text, S=SECRET)
        assert found
        assert SECRET not in "\n".join(found)

    def test_nor_a_part_of_it_that_is_the_password_of_a_url(self):
        found = faults(base().replace("http://localhost/orders", "${URL}"), URL=f"http://u:{SECRET}@h/split")
        assert found == ["f.yaml:8: mappings.orders.source.queue_url: no login as ${URL}"]


class TestSeveralFiles:
    def test_names_merge_and_paths_follow_their_file(self, tmp_path):
        write(tmp_path, "service: {name: shop}\nfunctions: {a: {handler: x.y, path: src}}\n", "1.yaml")
        (tmp_path / "sub").mkdir()
        write(
            tmp_path / "sub",
            "functions: {b: {handler: x.y, path: ../src2}}\n"
            "mappings: {m: {source: {type: log, stream: s}, function: a}}\n",
            "2.yml",
        )
        found = config.load([Path("1.yaml"), Path("sub")], CATALOG, {})
        assert found.base == tmp_path
        assert found.functions["a"].path == str(tmp_path / "src")
        assert found.functions["b"].path == str(tmp_path / "src2")
        assert found.places.place(("mappings", "m", "function")) == "sub/2.yml:2"

    def test_a_folder_is_read_in_order_and_only_its_yaml(self, tmp_path):
        write(tmp_path, base(), "b.yaml")
        write(tmp_path, "service: {name: other}\n", "a.yml")
        write(tmp_path, "{ no yaml", "c.txt")
        (tmp_path / "d.yaml").mkdir()
        with pytest.raises(ConfigError) as caught:
            config.load([tmp_path], CATALOG, {})
        assert str(caught.value) == (
            f"{tmp_path}/b.yaml:1: service: given twice, first at {tmp_path}/a.yml:1; remove one"
        )

    def test_the_same_section_twice_is_fine_if_equal(self, tmp_path):
        write(tmp_path, base(), "a.yaml")
        write(tmp_path, "service: {name: shop}\nfunctions: {b: {handler: x.y}}\n", "b.yaml")
        assert config.load([tmp_path], CATALOG, {}).functions.keys() == {"record", "b"}

    def test_a_name_given_twice_names_both_places(self, tmp_path):
        write(tmp_path, base(), "a.yaml")
        write(tmp_path, "functions:\n  record: {handler: x}\nmappings: {orders: {}}\n", "b.yaml")
        with pytest.raises(ConfigError) as caught:
            config.load([Path("a.yaml"), Path("b.yaml")], CATALOG, {})
        assert sorted(str(caught.value).splitlines()) == [
            "b.yaml:2: functions.record: given twice, first at a.yaml:3; remove one",
            "b.yaml:3: mappings.orders: given twice, first at a.yaml:5; remove one",
        ]

    def test_what_cannot_be_read_is_said_of_each_and_nothing_is_guessed(self, tmp_path):
        write(tmp_path, base().replace("function: record", "function: elsewhere"), "a.yaml")
        write(tmp_path, "a: [", "b.yaml")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigError) as caught:
            config.load([Path("a.yaml"), Path("b.yaml"), Path("no.yaml"), Path("empty")], CATALOG, {})
        lines = str(caught.value).splitlines()
        assert [line.split(": ")[0] for line in lines] == ["empty", "b.yaml:1", "no.yaml"]

    def test_a_folder_without_yaml_beside_a_good_file_is_still_a_fault(self, tmp_path):
        write(tmp_path, base(), "a.yaml")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigError, match="empty: the folder holds no"):
            config.load([Path("a.yaml"), Path("empty")], CATALOG, {})

    def test_no_file(self):
        with pytest.raises(ConfigError, match="no config file was given"):
            config.load([], CATALOG, {})

    def test_a_file_named_twice_is_read_once(self, tmp_path):
        write(tmp_path, base(), "a.yaml")
        assert config.load([Path("a.yaml"), Path(), Path("a.yaml")], CATALOG, {}).mappings


@pytest.mark.parametrize(
    ("listen", "parts"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:65535", ("::1", 65535)), ("host.name:80", ("host.name", 80))],
)
def test_listen(listen, parts):
    assert host_and_port(listen) == parts
    assert load(base().replace("name: shop", f"name: shop, listen: '{listen}'")).service.listen == listen


def test_listen_can_be_switched_off():
    assert load(base().replace("name: shop", "name: shop, listen: null")).service.listen is None


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("MaximumBatchingWindowInSeconds", "maximum_batching_window_in_seconds"),
        ("maximum-batching-window", "maximum_batching_window_in_seconds"),
        ("window", "maximum_batching_window_in_seconds"),
        ("batchsize", "batch_size"),
        ("size", "batch_size"),
        ("in", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_nearest(word, meant):
    assert nearest(word, ["maximum_batching_window_in_seconds", "batch_size"]) == meant
