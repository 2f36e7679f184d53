"""`headrace pause` and `resume` of a queue, as an operator types them, on a service that runs beside."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from support.queues import counts, send_all
from support.service import Service, config, mapping, until

HANDLER = """
import time
from pathlib import Path
HERE = Path(__file__).parent
def note(name, event):
    with (HERE / name).open("a") as file:
        file.write("".join(record["body"] + "\\n" for record in event["Records"]))
def work(event, context):
    note("began.txt", event)
    while not (HERE / "open").exists():
        time.sleep(0.02)
    note("ended.txt", event)
"""


async def test_a_queue_is_paused_and_resumed(
    tmp_path: Path, new_queue: Callable[..., Awaitable[str]], sqs: Any, aws_env: dict[str, str], own_port: int
) -> None:
    """Nothing is received, what was begun is finished, and a resume goes on. Mutation: handlers that are dropped."""
    url, listen = await new_queue(visibility_timeout=3), f"127.0.0.1:{own_port}"
    (tmp_path / "gate.py").write_text(HANDLER)
    gate = {"work": {"handler": "gate.work", "path": str(tmp_path)}}
    settings = config({"orders": mapping(url, batch_size=1)}, functions=gate, listen=listen)
    service = Service(tmp_path / "service", settings, aws_env)

    def told(word: str, *names: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "headrace.cli.main", word, str(tmp_path / "service" / "config.json"), *names]
        done = subprocess.run(
            command, env={**os.environ, **aws_env}, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def noted(name: str) -> list[str]:
        file = tmp_path / f"{name}.txt"
        return file.read_text().split() if file.exists() else []

    status, said = await asyncio.to_thread(told, "pause", "orders")
    assert (status, "is the service running?" in said) == (2, True)
    try:
        service.start()
        await service.answers("/readyz", 200)
        await send_all(sqs, url, ["1"])
        await until(lambda: noted("began") == ["1"], why=service.log_text)
        pausing = asyncio.create_task(asyncio.to_thread(told, "pause", "orders"))
        await until(lambda: service.events("mapping.paused"), why=service.log_text)
        (view,) = (await service.answers("/v1/mappings", 200))["mappings"]
        assert (view["state"], view["in_flight"]) == ("paused", 1)
        (tmp_path / "open").touch()
        status, said = await pausing
        assert status == 0
        assert said.startswith(f"orders is paused: the copy at {listen} receives nothing, until headrace resume")
        assert noted("ended") == ["1"]
        await send_all(sqs, url, ["2", "3"])
        assert await service.answers("/readyz", 200) == {"ready": True}
        status, said = await asyncio.to_thread(told, "status")
        assert "paused" in said
        # what a receive that was cut off has taken at the server comes again with its visibility
        assert (noted("began"), sum(await counts(sqs, url))) == (["1"], 2)
        assert await asyncio.to_thread(told, "resume", "orders") == (0, "orders is resumed\n")
        await until(lambda: sorted(noted("ended")) == ["1", "2", "3"], why=service.log_text)
        assert await asyncio.to_thread(told, "resume", "orders") == (0, "orders was not paused\n")
    finally:
        service.stop()
