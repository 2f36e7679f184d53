"""Circles of destinations, over queues, topics and functions; and the count of hops that travels with a record."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import config
from headrace.config.circles import Node, Told, circles
from headrace.errors import ConfigError
from headrace.model import Record
from headrace_connectors.attributes import HOPS, attributes
from headrace_connectors.catalog import catalog
from headrace_connectors.sqs.event import records as sqs_records
from headrace_connectors.sqs.event import unwrapped_records
from headrace_connectors.sqs.hops import hops
from headrace_connectors.sqs.unwrap import Kind
from headrace_connectors.tracing import hops_in, trace_of
from support.messages import message
from support.scripted import message as received

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
ARN = "arn:aws:sqs:eu-west-1:123456789012:"
BASE = """\
service: {{name: shop}}
functions: {{f: {{handler: a.b}}, g: {{handler: a.b}}}}
mappings:
  one:
    source: {one}
    function: f
    maximum_retry_attempts: 1
    destination_config: {{{end}: {{destination: {to_two}}}}}
  two:
    source: {two}
    function: g
    maximum_retry_attempts: 1
    destination_config: {{on_failure: {{destination: {to_one}}}}}
"""
SQS = {
    "one": f'{{type: sqs, queue_url: "{QUEUE}one"}}',
    "two": f'{{type: sqs, queue_url: "{QUEUE}two"}}',
    "to_one": f'"{ARN}one"',
    "to_two": f'{{type: sqs, queue_url: "{QUEUE}two"}}',
}
KAFKA = {
    "one": "{type: kafka, bootstrap_servers: ['k:9092', 'l:9092'], topics: [one]}",
    "two": "{type: kafka, bootstrap_servers: ['l:9092'], topics: [two, three]}",
    "to_one": "{type: kafka, bootstrap_servers: ['l:9092'], topic: one}",
    "to_two": "{type: kafka, bootstrap_servers: ['l:9092', 'm:9092'], topic: three}",
}


def load(tmp_path: Path, end: str = "on_failure", **places: str) -> config.Config:
    (tmp_path / "c.yaml").write_text(BASE.format(end=end, **places))
    return config.load([tmp_path / "c.yaml"], catalog, {})


@pytest.mark.parametrize("places", [SQS, KAFKA])
@pytest.mark.parametrize("end", ["on_failure", "on_success"])
def test_two_mappings_that_tell_each_other_are_a_circle(tmp_path: Path, places: dict[str, str], end: str) -> None:
    """Mutations: an ARN that is not the URL's queue; a server in common that is not seen; only one end looked at."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, end, **places)
    (fault,) = str(caught.value).splitlines()
    assert fault.startswith(f"{tmp_path}/c.yaml:13: mappings.two.destination_config.on_failure.destination: closes a")
    assert fault.endswith("go round for ever: one → two → one; break it")


@pytest.mark.parametrize(
    "places",
    [
        {**SQS, "to_one": f'"{ARN}three"'},
        {**SQS, "to_one": '"arn:aws:sqs:eu-west-1:000000000000:one"'},
        {**SQS, "to_one": '"arn:aws:sqs:eu-west-2:123456789012:one"'},
        {**KAFKA, "to_one": "{type: kafka, bootstrap_servers: ['m:9092'], topic: one}"},
    ],
)
def test_another_place_of_the_same_name_is_none(tmp_path: Path, places: dict[str, str]) -> None:
    assert list(load(tmp_path, **places).mappings) == ["one", "two"]


def test_every_circle_is_found_once_and_a_way_into_it_is_none() -> None:
    nodes = {"in": reads("", "a"), "a": reads("a", "b"), "b": reads("b", "c", "b"), "c": reads("c", "a", "out")}
    assert list(circles(nodes)) == [("to-a", ["a", "b", "c", "a"]), ("to-b", ["b", "b"])]


def reads(place: str, *tells: str) -> Node:
    return Node(frozenset([place]), [Told(frozenset([one]), f"to-{one}") for one in tells])


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4, unique=True)))
def test_what_is_told_is_a_circle_and_one_is_told_where_there_is_any(tells: dict[str, list[str]]) -> None:
    """Mutations: a way that was left is a way back; what was seen from another beginning is not looked at."""
    nodes = {name: reads(name, *some) for name, some in tells.items()}
    found = list(circles(nodes))
    for path, way in found:
        assert way[0] == way[-1] == path.removeprefix("to-") == min(way, key=list(nodes).index)
        assert all(one in tells[before] for before, one in pairwise(way))
    left = {name: set(some) & tells.keys() for name, some in tells.items()}
    for _ in tells:  # what tells nobody is in no circle
        left = {name: {one for one in some if left.get(one)} for name, some in left.items()}
    assert bool(found) == any(left.values())


def test_many_layers_are_seen_through() -> None:
    """Mutation: every way is walked, of which there are 2**60, so that this never ends."""
    layers = [(f"a{number}", f"b{number}") for number in range(60)]
    nodes = {name: reads(name, *layers[(number + 1) % 60]) for number, layer in enumerate(layers) for name in layer}
    found = [way for _, way in circles(nodes)]
    assert found
    assert len(found) <= 240, "one a destination at most"


@pytest.mark.parametrize(("value", "count"), [("3", 3), ("0", 0), ("-1", 0), ("x", 0), ("9" * 40, 0)])
def test_a_queues_message_says_how_far_it_has_come(value: str, count: int) -> None:
    """Mutation: the count that is not read back, so that a runaway never ends."""

    def made(attributes_: object) -> list[Record]:
        return sqs_records([{**received("m"), "MessageAttributes": attributes_}], None, 0.0)

    assert hops(made({HOPS: {"DataType": "Number", "StringValue": value}})) == count
    assert hops(made({})) == 0
    sent = attributes(message("m", b"{}"))
    assert HOPS not in sent


@pytest.mark.parametrize("unwrap", [(), ("sns",)])
def test_in_a_topics_envelope_too(unwrap: Sequence[Kind]) -> None:
    """A topic delivers no raw messages unless it is told to. Mutations: read where it was unwrapped alone; a record
    within the message is taken for its envelope."""

    def envelope(count: str, content: str) -> str:
        counted = {HOPS: {"Type": "Number", "Value": count}}
        topic = {"Type": "Notification", "MessageId": "i", "TopicArn": "arn:aws:sns:r:0:t"}
        return json.dumps({**topic, "Message": content, "MessageAttributes": counted})

    within = json.dumps({"body": envelope("9", "x")})
    told = received(1, body=envelope("3", within))
    plain = {**received(2, body=within), "MessageAttributes": {HOPS: {"DataType": "Number", "StringValue": "2"}}}
    assert hops(unwrapped_records([told], None, 0.0, kinds=unwrap)) == 3
    assert hops(unwrapped_records([told, plain], None, 0.0, kinds=unwrap)) == 3
    assert hops(unwrapped_records([plain], None, 0.0, kinds=unwrap)) == 2


def test_a_tracing_header_says_it() -> None:
    """Of a bus, a bucket or a dead letter. Mutation: what a service has added to it hides the count."""
    sent = message("m", b"", hops=3)
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};HeadraceHops=3", trace_of(sent))
    assert trace_of(sent) == trace_of(message("m", b"another", hops=3))
    assert trace_of(message("m", b"")) == ""
    for more in ("", "; Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0"):
        told = received(1)
        told["Attributes"]["AWSTraceHeader"] = f"Self=1-0-0;{trace_of(sent)}{more}"
        assert hops(sqs_records([told], None, 0.0)) == 3
    for other in ("Root=1-0-0", "HeadraceHops", "HeadraceHops=x;;"):
        assert hops_in(other) == 0
