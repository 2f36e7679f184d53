"""A polled Kinesis shard under core's log lane is held to the conformance suite, against two real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headrace.clock import SYSTEM
from headrace.testing.conformance import Ends, Fences, LaneConformance
from support.kinesis import PRODUCER, kinesis_client, make_stream, put, split
from support.kinesis_reading import SHARD, KinesisHarness, at_server


class _OnServer:
    server = ""

    @pytest.fixture
    async def harness(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[KinesisHarness]:
        for name, value in PRODUCER.items():
            monkeypatch.setenv(name, value)
        url: str = request.getfixturevalue(self.server).url
        async with kinesis_client(url) as client:
            stream = await make_stream(client)
            yield KinesisHarness(
                lambda: at_server(url, stream),
                lambda names, keys: put(client, stream, names, keys),
                lambda: split(client, stream, SHARD),
                clock=SYSTEM,
                promptly=3.0,
                patience=6.0,
            )


class TestOnKinesisLocal(_OnServer, LaneConformance, Ends, Fences):
    server = "kinesis_local"


class TestOnRoto(_OnServer, LaneConformance, Ends, Fences):
    server = "roto"
