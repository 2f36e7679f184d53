"""`headrace testbed`: a command line of its own, that the catalog brings."""

from __future__ import annotations

from headrace.late import Late
from headrace.plugins import Command

testbed = Command(
    name="testbed",
    summary="run a config without AWS, on a Kafka broker of its own",
    arguments=Late("headrace_connectors.testbed.commands.words:add"),
    carry_out=Late("headrace_connectors.testbed.commands.common:carry_out"),
)
