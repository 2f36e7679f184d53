"""A topic's record whose destination is away, over a kill, a stop and a seek: run once, and once more for the seek."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.kafka import Cluster
from support.kafkabooks import TopicProducer
from support.service import Service, config, until

HANDLER = """
import os

def handler(event, context):
    with open(os.environ["TELLTALE"], "a") as file:
        file.write(context.aws_request_id + chr(10))
    raise ValueError("no")
"""

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # kafka-python's
    pytest.mark.usefixtures("_nothing_left_open"),
]


async def test_a_record_of_a_topic_is_run_once_and_again_when_it_is_sought(
    apache_kafka: Cluster, launch: Callable[..., Service], tmp_path: Path, own_port: int
) -> None:
    """Mutations: what is kept is not asked for; what was kept before a seek is found after it (tried)."""
    (tmp_path / "kept_handler.py").write_text(HANDLER)
    topic, telltale = apache_kafka.topic(1), tmp_path / "handled"
    await TopicProducer(apache_kafka.bootstrap_servers, topic, 1).put(1)
    nowhere = {"type": "http", "url": f"http://127.0.0.1:{own_port}/"}
    reads = {
        "source": {"type": "kafka", "topics": [topic], "bootstrap_servers": [apache_kafka.bootstrap_servers]},
        "starting_position": "TRIM_HORIZON",
        "function": "work",
        "maximum_retry_attempts": 0,
        "destination_config": {"on_failure": {"destination": nowhere}},
    }
    work = {"handler": "kept_handler.handler", "path": str(tmp_path), "timeout": 10}
    made = config({"m": reads}, functions={"work": work}, state=f"sqlite:{tmp_path}/state.db")
    service = launch(made, {"TELLTALE": str(telltale)})

    def calls() -> list[str]:
        return telltale.read_text().splitlines() if telltale.exists() else []

    service.start()
    await until(lambda: service.events("outcome.kept") == 1, why=service.log_text)
    service.kill()
    service.start()
    await until(lambda: service.events("outcome.found") == 1, why=service.log_text)
    service.terminate()
    assert await service.ended() == 0, service.log_text()
    assert len(calls()) == 1
    words = ["seek", str(service.file), "m", "--to", "TRIM_HORIZON"]
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "headrace.cli.main", *words], env=service.environment, check=True
    )
    service.start()
    await until(lambda: len(calls()) == 2, why=service.log_text)
    assert service.events("outcome.found") == 1
