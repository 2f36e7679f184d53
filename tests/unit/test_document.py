import codecs
from pathlib import Path

import pytest

from headrace.config.document import Document, parse, read


def of(text: str, **environ: str) -> Document:
    return parse(text, "f.yaml", environ)


def faults(text: str, **environ: str) -> list[str]:
    return [str(fault) for fault in of(text, **environ).faults]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("010", 10),
        ("0o10", 8),
        ("0xff", 255),
        ("-7", -7),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("'10'", "10"),
        ('"true"', "true"),
        ("!!str 10", "10"),
        ("! 10", "10"),
        ('"\\ud83d\\ude00"', "😀"),
        ("|\n  two\n  lines", "two\nlines"),
        ("[1, a]", [1, "a"]),
        ("{b: {c: 1}}", {"b": {"c": 1}}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written, value):
    found = of(f"a: {written}")
    assert found.faults == []
    assert found.value == {"a": value}
    assert type(found.value["a"]) is type(value)


def test_every_value_has_its_line():
    found = of("# comment\na:\n  b: 1\n  c:\n    - x\n    - {d: 2,\n       e: 3}\n")
    assert {where: place.split(":")[1] for where, place in found.places.lines.items()} == {
        (): "2",
        ("a",): "2",
        ("a", "b"): "3",
        ("a", "c"): "4",
        ("a", "c", 0): "5",
        ("a", "c", 1): "6",
        ("a", "c", 1, "d"): "6",
        ("a", "c", 1, "e"): "7",
    }
    assert found.places.place(("a", "c", 9, "no")) == "f.yaml:4"


def test_anchors_and_merge_keys():
    found = of(
        "base: &base {x: 1, y: 2}\nmore: &more {y: 3, z: 4}\n"
        "one:\n  <<: *base\n  x: 9\ntwo: {<<: [*base, *more]}\nsame: *base\n"
    )
    assert found.faults == []
    assert found.value["one"] == {"x": 9, "y": 2}
    assert found.value["two"] == {"x": 1, "y": 2, "z": 4}
    assert found.value["same"] == {"x": 1, "y": 2}
    assert found.places.place(("one", "y")) == "f.yaml:1"
    assert found.places.place(("one", "x")) == "f.yaml:5"


class TestEnvironment:
    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ("${N}", 10),
            ("'${N}'", "10"),
            ('"${N}"', "10"),
            ("${T}", True),
            ("${EMPTY}", None),
            ("${EMPTY:-5}", 5),
            ("${NONE:-5}", 5),
            ("${NONE:-}", None),
            ("'${NONE:-}'", ""),
            ("${NONE:-a:b}", "a:b"),
            ("${N}${N}", 1010),
            ("x${N}y${T}", "x10ytrue"),
            ("$${N}", "${N}"),
            ("$${N}${N}", "${N}10"),
            ("$N", "$N"),
            ("a$", "a$"),
            ("${YAML}", "{a: [1]}"),
        ],
    )
    def test_is_filled_in(self, written, value):
        found = of(f"a: {written}", N="10", T="true", EMPTY="", YAML="{a: [1]}")
        assert found.faults == []
        assert found.value == {"a": value}

    def test_a_missing_variable_is_named_with_its_line(self):
        assert faults("a: 1\nb: '${NO}${NEITHER}'") == [
            "f.yaml:2: b: the environment variable NO is not set; set it, or write ${NO:-default}",
            "f.yaml:2: b: the environment variable NEITHER is not set; set it, or write ${NEITHER:-default}",
        ]

    @pytest.mark.parametrize("written", ["'${'", "'${}'", "'${a b}'", "'${1A}'", "'a${N'"])
    def test_what_names_no_variable(self, written):
        assert "must hold the name of a variable" in faults(f"a: {written}", N="1")[0]

    def test_keys_are_left_alone(self):
        assert of("'${N}': 1", N="10").value == {"${N}": 1}

    def test_knows_what_came_from_there(self):
        places = of("a: {b: '${N}', c: 1}\nd: $${N}", N="secret").places
        assert places.from_environment(("a", "b"))
        assert places.from_environment(("a",))
        assert not places.from_environment(("a", "c"))
        assert not places.from_environment(("d",))
        assert places.scrub("it is secret!") == "it is ${N}!"

    def test_a_value_that_is_no_text_is_not_shown(self):
        assert faults("a: ${N}", N="\udcff-hunter2") == [
            "f.yaml:1: a: the environment variable N holds characters that are not text"
        ]
        assert faults("a: ${N}", N="9" * 50) == ["f.yaml:1: a: the number is too large"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the file is empty"),
        ("# only a comment\n", ":1: the file is empty"),
        ("---\n", ":1: the file is empty"),
        ("- a\n", ":1: must be a mapping"),
        ("\nword\n", ":2: must be a mapping"),
        ("a: 1\n\tb: 2\n", ":2: not valid YAML: a tab is not allowed here"),
        ("a: 1\nb: [1, 2\nc: 3\n", ":3: not valid YAML"),
        ("a: 1\n b: 2\n", ":2: not valid YAML"),
        ("a: {b: ${X}}\n", ":1: not valid YAML"),
        ("a: {b: ${X}}\n", "put ${…} in quotes"),
        ("a: 'open\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", ":2: a second document starts here"),
        ("a: 1\na: 2\n", ":2: a: given twice, first on line 1"),
        ("a: {b: 1, b: 2}\n", ":1: a.b: given twice"),
        ("1: a\n", ":1: a key must be a text; put it in quotes"),
        ("true: a\n", ":1: a key must be a text"),
        ("null: a\n", ":1: a key must be a text"),
        ("? [a, b]\n: c\n", ":1: a key must be a text"),
        ("? {a: b}\n: c\n", ":1: a key must be a text"),
        (f"{'9' * 50}: c\n", ":1: a key must be a text"),
        ('"\\0": a\n', ":1: a key holds characters that are not text"),
        ("a: &a [*a]\n", ":1: *a refers to itself"),
        ("a: &a {b: *a}\n", ":1: *a refers to itself"),
        ("a: *nothing\n", ":1: *nothing has no anchor"),
        ("<<: 1\n", ":1: << takes a mapping"),
        ("<<: [1]\n", ":1: << takes a mapping"),
        ("<<: {a: 1}\n<<: {b: 1}\n", ":2: <<: given twice"),
        ("a: !!python/object:os.system x\n", "is not supported; write a plain value"),
        ("a: !!timestamp 2026-01-01\n", ":1: a: the tag '!!timestamp' is not supported"),
        ("a: !!set {b}\n", ":1: a: the tag '!!set' is not supported"),
        ("a: !mine {b: 1}\n", ":1: a: the tag '!mine' is not supported"),
        ("a: !!binary aGk=\n", ":1: a: the tag '!!binary'"),
        ('a: "\\0"\n', ":1: a: holds characters that are not text"),
        ('a: "\\ud800"\n', ":1: a: holds characters that are not text"),
        ('a: "\\UFFFFFFFF"\n', ":1: not valid YAML: a number in an escape"),
        ("a: 1\nb: \x00\n", ":2: a character that YAML does not allow"),
        ("a: \x07\n", ":1: a character that YAML does not allow"),
        ("a: .nan\n", ":1: a: must be a finite number"),
        ("a: -.inf\n", ":1: a: must be a finite number"),
        ("a: 1e999\n", ":1: a: the number is too large"),
        (f"a: {'9' * 5000}\n", ":1: a: the number is too large"),
        ("%YAML 3.0\n---\na: 1\n", "not valid YAML"),
        (f"%YAML {'9' * 5000}.1\n---\na: 1\n", "not valid YAML"),
        ("a: " + "[" * 200 + "]" * 200, ":1: nested deeper than 50 levels"),
        ("a: " + "[" * 100_000, ":1: "),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 200)), "nested deeper"),
    ],
)
def test_odd_text_is_a_fault_with_its_line(text, message):
    found = faults(text)
    assert found
    assert all(fault.startswith("f.yaml:") for fault in found)
    assert message in "\n".join(found)


def test_all_recoverable_faults_at_once():
    assert len(faults("a: ${NO}\na: 2\n1: x\nb: !x y\nc: .nan\n")) == 5


@pytest.mark.parametrize(
    "lines",
    [
        ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]" for n in range(1, 10))],
        ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{f'*a{n - 1}, ' * 10}]}}" for n in range(1, 10))],
        ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2000))],
    ],
    ids=["lists", "merges", "depth"],
)
def test_aliases_that_grow_without_bound_are_refused(lines):
    assert "its aliases grow too large" in faults("\n".join(lines))[-1]


class TestFile:
    def test_a_byte_order_mark_is_fine(self, tmp_path):
        path = tmp_path / "a.yaml"
        path.write_bytes(codecs.BOM_UTF8 + b"a: 1\n")
        assert read(path, {}).value == {"a": 1}

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_utf_16_is_refused(self, tmp_path, encoding):
        path = tmp_path / "a.yaml"
        path.write_bytes("a: 1\n".encode(encoding))
        assert str(*read(path, {}).faults) == (
            f"{path}:1: the file is UTF-16 or UTF-32, or no text at all; save it as UTF-8"
        )

    def test_what_is_not_utf_8_is_refused_with_its_line(self, tmp_path):
        path = tmp_path / "a.yaml"
        path.write_bytes(b"a: 1\nb: \xe4\n")
        assert str(*read(path, {}).faults).startswith(f"{path}:2: the file is not UTF-8")

    def test_a_missing_file(self):
        assert str(*read(Path("no/such.yaml"), {}).faults) == "no/such.yaml: the file does not exist"

    def test_a_folder_or_a_name_that_cannot_be(self, tmp_path):
        assert "cannot be read" in str(*read(tmp_path, {}).faults)
        assert "cannot be read" in str(*read(Path("a\0b"), {}).faults)

    def test_a_file_that_is_no_config(self, tmp_path):
        path = tmp_path / "a.yaml"
        path.write_bytes(b"a" * (1 << 20) + b"a")
        assert "larger than" in str(*read(path, {}).faults)
