"""Event patterns: what is said of bad ones, how good ones read, and their bounds."""

import datetime as dt
import json
from typing import Any

import pytest

from headrace.errors import PatternError
from headrace.filters import compile_pattern, faults
from headrace.filters.pattern import ALTERNATIVES
from headrace.filters.tree import DEPTH, Literal, Repeated, read_event

MIXED = "either all values are number or string, mixed type is not supported"
IN_CASE = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
VALUE = "Match value must be String, number, true, false, or null"
FAULTS: list[tuple[Any, str, str]] = [
    ("[]", "$", "Filter is not an object"),
    ("", "$", "Filter is not an object"),
    ("{", "$", "Filter is not valid JSON: "),
    ({}, "$", "Empty objects are not allowed"),
    ({"a": {"b": {}}}, "$.a.b", "Empty objects are not allowed"),
    ({"a": {"b c": []}}, '$.a["b c"]', "Empty arrays are not allowed"),
    ({"a": {"b": 1}}, "$.a.b", '"b" must be an object or an array'),
    ({"a": [["x"]]}, "$.a[0]", VALUE),
    ({"a": ["x", {}]}, "$.a[1]", "Match expression name not found"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "$.a[0]", "Only one key allowed in match expression"),
    ({"a": [{"like": "x"}]}, "$.a[0].like", "Unrecognized match type like"),
    ({"a": [{"prefix": 1}]}, "$.a[0].prefix", "prefix match pattern must be a string"),
    ({"a": [{"suffix": ["x"]}]}, "$.a[0].suffix", "suffix match pattern must be a string"),
    ({"a": [{"wildcard": 1}]}, "$.a[0].wildcard", "wildcard match pattern must be a string"),
    ({"a": [{"exactly": None}]}, "$.a[0].exactly", "exact match pattern must be a string"),
    (
        {"a": [{"equals-ignore-case": 1}]},
        "$.a[0].equals-ignore-case",
        "equals-ignore-case match pattern must be a string",
    ),
    ({"a": [{"cidr": 1}]}, "$.a[0].cidr", "prefix match pattern must be a string"),
    ({"a": [{"prefix": {"suffix": "x"}}]}, "$.a[0].prefix.suffix", "Unsupported prefix pattern: suffix"),
    ({"a": [{"suffix": {"wildcard": "x"}}]}, "$.a[0].suffix.wildcard", "Unsupported suffix pattern: wildcard"),
    ({"a": [{"prefix": {}}]}, "$.a[0].prefix", "Prefix expression name not found"),
    (
        {"a": [{"anything-but": {"numeric": [">", 1]}}]},
        "$.a[0].anything-but.numeric",
        "Unsupported anything-but pattern: numeric",
    ),
    (
        {"a": [{"anything-but": True}]},
        "$.a[0].anything-but",
        "Value of anything-but must be an array or single string/number value.",
    ),
    (
        {"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]},
        "$.a[0].anything-but.prefix",
        "Value of anything-but must be an array or single string/number value.",
    ),
    (
        {"a": [{"anything-but": ["x", None]}]},
        "$.a[0].anything-but[1]",
        "Inside anything but list, start|null|boolean is not supported.",
    ),
    ({"a": [{"anything-but": ["x", 1]}]}, "$.a[0].anything-but", f"Inside anything but list, {MIXED}"),
    ({"a": [{"anything-but": []}]}, "$.a[0].anything-but", f"Inside anything but list, {MIXED}"),
    ({"a": [{"anything-but": {"prefix": ""}}]}, "$.a[0].anything-but.prefix", "Null prefix/suffix not allowed"),
    (
        {"a": [{"anything-but": {"suffix": ["x", 1]}}]},
        "$.a[0].anything-but.suffix[1]",
        "prefix/suffix match pattern must be a string",
    ),
    ({"a": [{"anything-but": {"equals-ignore-case": 1}}]}, "$.a[0].anything-but.equals-ignore-case", IN_CASE),
    (
        {"a": [{"anything-but": {"wildcard": [1]}}]},
        "$.a[0].anything-but.wildcard[0]",
        "wildcard match pattern must be a string",
    ),
    ({"a": [{"numeric": 5}]}, "$.a[0].numeric", "Value of numeric must be an array."),
    ({"a": [{"numeric": []}]}, "$.a[0].numeric", "Invalid member in numeric match: ]"),
    ({"a": [{"numeric": [True, 1]}]}, "$.a[0].numeric[0]", "Invalid member in numeric match: true"),
    ({"a": [{"numeric": ["!=", 1]}]}, "$.a[0].numeric[0]", "Unrecognized numeric range operator: !="),
    ({"a": [{"numeric": ["=", "1"]}]}, "$.a[0].numeric[1]", "Value of equals must be numeric"),
    ({"a": [{"numeric": [">="]}]}, "$.a[0].numeric", "Value of >= must be numeric"),
    ({"a": [{"numeric": [">", 1, "<", None]}]}, "$.a[0].numeric[3]", "Value of < must be numeric"),
    ({"a": [{"numeric": ["<", 1, ">", 0]}]}, "$.a[0].numeric[2]", "Too many elements in numeric expression"),
    ({"a": [{"numeric": [">", 1], "prefix": "x"}]}, "$.a[0]", "Too many elements in numeric expression"),
    ({"a": [{"numeric": [">", 1, ">", 2]}]}, "$.a[0].numeric[2]", "Bad numeric range operator: >"),
    ({"a": [{"numeric": [">", 1, 2]}]}, "$.a[0].numeric[2]", "Bad value in numeric range: 2"),
    (
        {"a": [{"numeric": [">", 1, "<", 3, "<"]}]},
        "$.a[0].numeric[4]",
        "Too many terms in numeric range expression",
    ),
    ({"a": [{"numeric": [">=", 2, "<=", 2]}]}, "$.a[0].numeric", "Bottom must be less than top"),
    ('{"a":[{"numeric":[">",1e400]}]}', "$.a[0].numeric[1]", "Cannot compare number : 1e400"),
    ({"a": [{"exists": 1}]}, "$.a[0].exists", "exists match pattern must be either true or false."),
    ({"a": [{"wildcard": "é**"}]}, "$.a[0].wildcard", "Consecutive wildcard characters at pos 3"),
    (
        {"a": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]},
        "$.a[0].wildcard",
        "Consecutive wildcard characters at pos 26",
    ),
    ({"a": [{"wildcard": "a\\b"}]}, "$.a[0].wildcard", "Invalid escape character at pos 2"),
    ({"a": [{"wildcard": "*a*b*c*d*e*"}]}, "$.a[0].wildcard", "Rule is too complex - try using fewer wildcard"),
    ({"a": [{"cidr": "10.0.0.0"}]}, "$.a[0].cidr", "Malformed CIDR, one '/' required"),
    ({"a": [{"cidr": "10.0.0.0/a"}]}, "$.a[0].cidr", "Malformed CIDR, mask bits must be an integer"),
    ({"a": [{"cidr": "10.0.0.0/32"}]}, "$.a[0].cidr", "IPv4 mask bits must be < 32"),
    ({"a": [{"cidr": "::/128"}]}, "$.a[0].cidr", "IPv6 mask bits must be < 128"),
    ({"a": [{"cidr": "host/8"}]}, "$.a[0].cidr", "Nonstandard IP address: host"),
    ({"$or": [{"a": [1]}]}, "$.$or", "There must have at least 2 Objects in $or relationship."),
    ({"$or": [{"a": [1]}, 2]}, "$.$or[1]", "Only JSON object is allowed in array of $or relationship."),
    ({"$or": [{"a": [1]}, {"b": 2}]}, "$.$or[1].b", '"b" must be an object or an array'),
    (
        {"$or": [{"a": [1]}, {"cidr": [2]}]},
        "$.$or[1].cidr",
        "cidr is Ruler reserved fieldName which cannot be used inside $or.",
    ),
    ({"a": [dt.date(2026, 1, 1)]}, "$.a[0]", VALUE),
    ({"a": [float("nan")]}, "$.a[0]", VALUE),
    ({"a": [10**500]}, "$.a[0]", VALUE),
    ({"a": {1: ["x"]}}, "$.a", "Field names must be String"),
    ({"a": ["x" * 5000]}, "$", "Filter is too long"),
    ('{"a":["' + "x" * 5000 + '"]}', "$", "Filter is too long"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "place", "reason"), FAULTS)
def test_every_fault_has_aws_words_and_its_place(pattern, place, reason):
    """Catches: a reason reworded, a place one level off, a fault that lets the pattern pass."""
    (fault,) = faults(pattern)
    assert (fault.place, fault.reason[: len(reason)]) == (place, reason)
    assert str(fault).startswith(f"Event pattern is not valid. Reason: {reason}")
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_all_faults_of_a_pattern_at_once():
    pattern = {"a": 1, "b": {"c": [{"like": 1}, {"exists": 0}]}, "$or": [{"d": []}, {"e": ["x"]}]}
    assert [fault.place for fault in faults(pattern)] == ["$.a", "$.b.c[0].like", "$.b.c[1].exists", "$.$or[0].d"]


class TestBounds:
    @pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":[', '{"$or":['])
    def test_deep_nesting_is_a_fault(self, opening):
        """Catches: a RecursionError of the parser or of ours."""
        (fault,) = faults(opening * (4096 // len(opening)))
        assert "nested too deep" in fault.reason or "not valid JSON" in fault.reason
        closing = "".join({"[": "]", "{": "}"}[one] for one in reversed(opening) if one in "[{")
        text = opening * 200 + ('"x"' if opening == "[" else '{"a":["x"]}') + closing * 200
        assert "nested too deep" in faults(text)[0].reason

    def test_a_mapping_in_itself(self):
        loop: dict[str, Any] = {}
        loop["a"] = loop
        assert "nested too deep" in faults(loop)[0].reason

    def test_as_deep_as_is_allowed(self):
        pattern: Any = ["x"]
        event: Any = "x"
        for _ in range(DEPTH - 1):
            pattern, event = {"a": pattern}, {"a": [[event]]}
        assert compile_pattern(pattern).matches(event)
        (fault,) = faults({"a" + ".a" * DEPTH: ["x"]})
        assert "nested too deep" in fault.reason

    def test_or_multiplied_out(self):
        """2 to the 60th alternatives: refused, and at once."""
        either = [{"a": [1]}, {"b": [1]}]
        pattern: Any = {"$or": either}
        for _ in range(9):
            pattern = {"x": pattern, "$or": either}
        assert "too complex" in faults(pattern)[0].reason
        assert len(compile_pattern({"$or": [{"a": [n]} for n in range(300)]}).alternatives) == 300
        assert ALTERNATIVES == 1000

    def test_many_elements_cost_no_more_than_looking_at_them(self):
        """Every key matches in every element, but never all in one: a search by combinations would not end."""
        keys = "abcdefgh"
        rows = [{key: 0 if key == keys[n % 8] else 1 for key in keys} for n in range(4000)]
        event = {"x": rows, "y": rows}
        condition = {key: [1] for key in keys}
        assert not compile_pattern({"x": condition, "y": condition}).matches(event)

    def test_a_path_given_by_many_members(self):
        """The one case in which sets of conditions multiply: repeated keys with arrays. Bounded, and right here."""
        rows = ",".join('"x":[' + ",".join(f'{{"{key}":1}}' for key in "abcdefgh") + "]" for _ in range(8))
        event = read_event(f"{{{rows}}}")
        assert isinstance(event, Repeated)
        assert compile_pattern({"x": {key: [1] for key in "abcdefgh"}}).matches(event)
        assert not compile_pattern({"x": {key: [1] for key in "abcdefghi"}}).matches(event)

    def test_an_event_nested_deeper_than_python_recurses(self):
        event: Any = "x"
        for _ in range(100_000):
            event = [event]
        assert compile_pattern({"a": ["x"]}).matches({"a": event})
        assert not compile_pattern({"a": [{"exists": False}]}).matches({"a": event})

    def test_a_long_wildcard_against_a_long_text(self):
        pattern = compile_pattern({"a": [{"wildcard": "*a*aa*aaa*aaaa*b"}]})
        assert not pattern.matches({"a": "a" * 200_000})


def test_numbers_keep_their_text_only_where_a_double_cannot_hold_them():
    """F19, F21 and F151 in one. Catches: text kept for all (1 is not 1.0), or for none."""
    text = "[1, 1.0, 3.0e2, 12345678901234567890, 0.1000000000000000055511151231257827, 1e400, 1E-400, -0, 1e23]"
    kept = [one for one in read_event(text) if isinstance(one, Literal)]
    assert [one.text for one in kept] == [
        "12345678901234567890",
        "0.1000000000000000055511151231257827",
        "1e400",
        "1E-400",
    ]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["x", 5, None, True], '"x" or 5 or null or true'),
        (["10.0.0.1"], '"10.0.0.1", as an IP address'),
        ([{"cidr": "10.0.0.0/8"}], "an IP address in 10.0.0.0/8"),
        ([{"numeric": [">", 0]}], "a number > 0"),
        ([{"numeric": [">=", 0.5, "<", 5]}], "a number >= 0.5 and < 5"),
        ([{"numeric": ["=", 5]}], "5"),
        ([{"prefix": "a"}, {"suffix": "b"}], 'a text that begins with "a" or a text that ends with "b"'),
        ([{"prefix": {"equals-ignore-case": "a"}}], 'a text that begins with "a" in any case'),
        ([{"equals-ignore-case": "a"}], '"a" in any case'),
        ([{"wildcard": "a*"}], 'a text like "a*"'),
        ([{"exists": True}], "any value"),
        ([{"exists": False}], "not there"),
        ([{"anything-but": "a"}], 'anything but "a"'),
        ([{"anything-but": {"wildcard": ["a*", "b"]}}], 'neither a text like "a*" nor a text like "b"'),
        (["\ud800\n"], r'"\ud800\n"'),
    ],
)  # fmt: skip
def test_how_a_condition_reads(items, words):
    (alternative,) = compile_pattern(json.dumps({"a": items})).alternatives
    assert [one.words for one in alternative.conditions] == [words]
