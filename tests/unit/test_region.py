"""The region that stands in a function's ARN."""

from __future__ import annotations

import pytest

from headrace import config
from headrace.region import region
from support.fake_catalog import CATALOG, write

TEXT = """\
service: {name: shop}
functions: {record: {handler: shop.orders.handler}}
mappings: {orders: {source: {type: log, stream: a}, function: record}}
"""


@pytest.mark.parametrize(
    ("section", "environ", "said"),
    [
        ("cloud: {region: eu-north-1}", {"AWS_REGION": "eu-west-1"}, "eu-north-1"),
        ("", {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ("", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ("", {}, "us-east-1"),
    ],
)
def test_what_is_written_then_the_environment_then_a_constant(tmp_path, section, environ, said) -> None:
    """Mutation: the environment before the file, or not at all."""
    found = config.load([write(tmp_path, f"{TEXT}{section}\n")], CATALOG, environ)
    assert region(found.sections.values(), environ) == said
