"""Faults of shape hide none of those that several values together show, and none is told that leans on a lost value."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace import config
from headrace.errors import ConfigError
from headrace.plugins import Catalog
from headrace_connectors import SqsPoller
from headrace_connectors.catalog import catalog
from support.fake_catalog import CATALOG, write

QUEUE = """\
service: {{name: shop}}
functions:
  record: {{handler: shop.orders.handler{function}}}
mappings:
  orders:
    source: {{type: queue, queue_url: "http://localhost/orders"{source}}}
    function: record
    {mapping}
"""
SQS = """\
service: {{name: shop}}
{section}
functions:
  record: {{handler: shop.orders.handler}}
mappings:
  orders:
    source: {{type: sqs, queue_url: "{url}"{source}}}
    function: record
    {mapping}
"""
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"
ON_FAILURE = "destination_config: {{on_failure: {{destination: {{{}}}}}}}"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(text: str, known: Catalog = CATALOG) -> ConfigError:
    write(Path(), text, "f.yaml")
    with pytest.raises(ConfigError) as caught:
        config.load([Path("f.yaml")], known, {})
    return caught.value


def told(error: ConfigError) -> set[str]:
    """The paths of the faults, without that of the mapping."""
    return {fault.path.removeprefix("mappings.orders.") for fault in error.faults}


def of_queue(*mapping: str, source: str = "", function: str = "") -> set[str]:
    return told(refused(QUEUE.format(mapping="\n    ".join(mapping), source=source, function=function)))


def of_sqs(*mapping: str, url: str = URL, source: str = "", section: str = "") -> set[str]:
    text = SQS.format(mapping="\n    ".join(mapping), url=url, source=source, section=section)
    return told(refused(text, catalog))


@pytest.mark.parametrize("shape", ["enabled: 1", "zzz: 1", "scaling_config: {maximum: 5}", "retry_backoff: 1"])
@pytest.mark.parametrize(
    ("together", "path"),
    [
        ("batch_size: 11", "batch_size"),
        ("batch_size: 10\n    capacity: 5", "capacity"),
        ("failure_payload: metadata", "failure_payload"),
    ],
)
def test_a_fault_of_shape_hides_none_of_several_values(shape: str, together: str, path: str) -> None:
    """Mutation: the values together looked at only once each of them is right."""
    assert path in of_queue(shape, together)
    assert len(of_queue(shape, together)) == 2


def test_nor_does_one_in_the_source_or_in_the_function_or_of_the_text() -> None:
    assert of_queue("batch_size: 11", source=", mode: x") == {"source.mode", "batch_size"}
    assert of_queue("batch_size: 11", function=", timeout: x") == {"functions.record.timeout", "batch_size"}
    assert of_queue("batch_size: 11", "enabled: ${NO}") == {"enabled", "batch_size"}
    assert of_queue("batch_size: 11", "enabled: true", "enabled: true") == {"enabled", "batch_size"}


@pytest.mark.parametrize(
    "window",
    [
        "maximum_batching_window_in_seconds: x",
        "maximum_batching_window_in_seconds: ${NO}",
        "maximum_batching_windw_in_seconds: 5",
        "MaximumBatchingWindowInSeconds: 5",
        "maximum_batching_window_in_seconds: 0\n    maximum_batching_window_in_seconds: 5",
    ],
)
def test_nothing_is_said_that_leans_on_a_lost_value_even_if_it_does_not_name_it(window: str) -> None:
    """`above 10 needs a window` is gone once the window is mended. Mutation: the default taken for the lost value."""
    assert of_queue("batch_size: 11", window) == {window.partition(":")[0]}


def test_nor_on_one_that_stands_in_the_wrong_block() -> None:
    assert of_queue("batch_size: 11", source=", maximum_batching_window_in_seconds: 5") == {
        "source.maximum_batching_window_in_seconds"
    }
    assert of_sqs("one_group_per_batch: true", "batch_size: 11") == {"one_group_per_batch"}


@pytest.mark.parametrize("batch_size", ["batch_size: 0", "batch_sise: 1", "batch_size: ${NO}"])
def test_capacity_is_not_measured_against_a_lost_batch_size(batch_size: str) -> None:
    assert of_queue(batch_size, "capacity: 5") == {batch_size.partition(":")[0]}


def test_a_source_that_is_lost_leaves_what_needs_no_source() -> None:
    text = QUEUE.format(mapping="failure_payload: metadata\n    batch_size: 11", source="", function="")
    error = refused(text.replace("http://localhost/orders", "orders"))
    assert told(error) == {"source.queue_url", "failure_payload"}


def test_a_validator_of_several_values_is_not_hidden_either() -> None:
    assert of_queue("retry_backoff: {initial: 5, maximum: 1, zzz: 2}") == {"retry_backoff", "retry_backoff.zzz"}
    assert of_queue("retry_backoff: {initial: 100, maximum: x}") == {"retry_backoff.maximum"}
    assert of_queue("retry_backoff: {initial: 100, maximun: 200}") == {"retry_backoff.maximun"}
    both = f"type: sqs, queue_url: '{URL}', queue_arn: 'arn:aws:sqs:eu-central-1:123456789012:x', zzz: 1"
    assert of_sqs(ON_FAILURE.format(both)) == {
        "destination_config.on_failure.destination",
        "destination_config.on_failure.destination.zzz",
    }


def test_what_a_queue_of_aws_cannot_do_is_told_beside_the_rest() -> None:
    fifo = of_sqs("batch_size: 20", "maximum_batching_window_in_seconds: 5", "enabled: 1", url=f"{URL}.fifo")
    assert fifo == {"batch_size", "maximum_batching_window_in_seconds", "enabled"}
    source = ", visibility_timeout: 60, maximum_visibility: 30, unwrap: [sms]"
    assert of_sqs("enabled: true", source=source) == {"source.visibility_timeout", "source.unwrap[0]"}
    source = ", visibility_timeout: 60, maximum_visibilty: 90"
    assert of_sqs("enabled: true", source=source) == {"source.maximum_visibilty"}


def test_a_destination_is_compared_with_its_source_beside_other_faults() -> None:
    here = "destination_config.on_failure.destination"
    same = ON_FAILURE.format(f"type: sqs, queue_url: '{URL}'")
    assert of_sqs(same, "enabled: 1") == {here, "enabled"}
    assert of_sqs(ON_FAILURE.format(f"type: sqs, queue_url: '{URL}', zzz: 1")) == {here, f"{here}.zzz"}
    assert of_sqs(ON_FAILURE.format(f"type: sqs, queue_url: '{URL}', regoin: x")) == {f"{here}.regoin"}
    assert of_sqs(same, section="aws: {regoin: x}") == {here, "aws.regoin"}  # of both, whichever it is
    own = ON_FAILURE.format(f"type: sqs, queue_url: '{URL}', region: eu-central-1")
    assert of_sqs(own, section="aws: {regoin: x}") == {"aws.regoin"}
    assert of_sqs(own, section="aws:") == {"aws"}


@pytest.mark.parametrize("destination", ["type: sqs, queue_ulr: x", "type: sqz", "type: sqs, queue_arn: 5"])
def test_a_destination_with_faults_leaves_the_rest(destination: str) -> None:
    broken = ON_FAILURE.format(destination)
    found = of_sqs(broken, "batch_size: 11")
    assert "batch_size" in found
    assert any("destination" in path for path in found)
    error = refused(
        SQS.format(mapping=f"maximum_retry_attempts: 2\n    {broken}", url=URL, source="", section=""), catalog
    )
    assert not error.warnings  # there is a destination: that nothing takes what is dropped would be false


def test_a_misspelt_block_leaves_in_doubt_what_leans_on_it() -> None:
    """Mutation: a function called unknown because its block is misspelt."""
    text = QUEUE.format(mapping="batch_size: 11", source="", function="").replace("functions:", "functons:")
    assert told(refused(text)) == {"functons", "batch_size"}
    own = ON_FAILURE.format(f"type: sqs, queue_url: '{URL}', region: eu-central-1")
    assert of_sqs(own, section="awz: {region: x}") == {"awz"}


def test_a_ledger_that_there_is_not_is_told_beside_other_faults_of_the_service() -> None:
    """Mutation: the URL looked at only when the whole block is right."""
    text = QUEUE.format(mapping="batch_size: 11", source="", function="")
    text = text.replace("name: shop", "name: shop, drain_timeout: -1, state: 'none://h'")
    assert told(refused(text)) == {"service.drain_timeout", "service.state", "batch_size"}


def test_warnings_come_with_the_faults_but_none_that_leans_on_them() -> None:
    """Mutation: warnings kept for the next run of `check`, when the faults are mended."""
    risky = ", visibility_timeout: 1"
    error = refused(QUEUE.format(mapping="enabled: 1", source=risky, function=""))
    assert [str(warning).partition(": ")[2].partition(":")[0] for warning in error.warnings] == [
        "mappings.orders.source.visibility_timeout"
    ]
    assert not refused(QUEUE.format(mapping="enabled: true", source=risky, function=", timeout: x")).warnings
    assert not refused(QUEUE.format(mapping="enabled: 1", source=", visibility_timeout: x", function="")).warnings


def test_the_library_says_the_same() -> None:
    """An argument that also stands in a section is told once. Mutation: the section taken as it is, unchecked."""
    with pytest.raises(ConfigError) as caught:
        SqsPoller(queue_url=URL, handler=print, batch_size=11, enabled=1, region=5)  # type: ignore[call-arg, arg-type]
    assert told(caught.value) == {"batch_size", "enabled", "region"}


def test_the_largest_batches_at_the_most_places_are_allowed() -> None:
    """Their default capacity would be ten million. Mutation: no limit, and a traceback."""
    most = (
        "batch_size: 10000\n    maximum_batching_window_in_seconds: 1\n    scaling_config: {maximum_concurrency: 1000}"
    )
    write(Path(), QUEUE.format(mapping=most, source="", function=""), "f.yaml")
    assert config.load([Path("f.yaml")], CATALOG, {}).mappings["orders"].settings.capacity == 1_000_000
