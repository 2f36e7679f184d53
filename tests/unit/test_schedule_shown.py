"""What is told of schedules that ran: `headrace status`, and the record of a run that was given up."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from headrace.cli.main import main
from headrace.testing import virtual
from headrace_connectors import SchedulePoller
from headrace_connectors.schedule.shown import rows
from support.timetables import Clocks

EVERY_MINUTE = {"schedule_expression": "cron(* * * * ? *)"}


@virtual
async def test_the_last_run_and_the_next_and_what_was_missed_with_the_reason() -> None:
    """Mutations: a next that is past; a miss without its reason; an owner that is not looked at."""
    clocks = Clocks()
    one = clocks.copy("a", {**EVERY_MINUTE, "missed": "skip"})
    (row,) = await rows(one.opening, clocks.store)
    assert (row["state"], row["fired"], row["last"], row["outcome"], row["missed"]) == (
        "never begun",
        None,
        None,
        None,
        0,
    )

    async def works(_: Any, __: Any) -> None:
        await asyncio.sleep(1.5)

    clocks.behave = works
    one.start()
    await asyncio.sleep(65)
    await one.stop()
    await asyncio.sleep(10 * 60)
    two = clocks.copy("b", {**EVERY_MINUTE, "missed": "skip"}).start()
    await asyncio.sleep(15)
    (row,) = await rows(two.opening, clocks.store)
    assert row == {
        "schedule": "m",
        "fired": "2026-01-01T00:11:00Z",
        "last": "2026-01-01T00:11:00Z",
        "outcome": "succeeded",
        "seconds": 1.5,
        "unfinished": 0,
        "next": "2026-01-01T00:12:00Z",
        "missed": 9,
        "missed last": "2026-01-01T00:10:00Z",
        "why": "skip",
        "state": "fired by b",
    }
    await clocks.store.pause("m", paused=True)
    (row,) = await rows(two.opening, clocks.store)
    assert row["state"] == "paused"
    await two.stop()


@virtual
async def test_a_run_that_failed_is_told_with_its_error() -> None:
    """Mutations: an error that is not told; what fired, and has not ended, is not (tried)."""
    clocks = Clocks()

    async def fails(_: Any, __: Any) -> None:
        raise ValueError("boom")

    clocks.behave = fails
    one = clocks.copy("a", {"schedule_expression": "at(2026-01-01T00:01:00)"}).start()
    await asyncio.sleep(90)
    (row,) = await rows(one.opening, clocks.store)
    assert (row["last"], row["unfinished"], row["next"]) == (None, 1, None), "it is to be tried again"
    assert row["fired"] == "2026-01-01T00:01:00Z"
    await asyncio.sleep(600)
    (row,) = await rows(one.opening, clocks.store)
    assert (row["last"], row["unfinished"]) == ("2026-01-01T00:01:00Z", 0)
    assert row["outcome"].startswith("failed after 3 attempts")
    assert "boom" in row["outcome"]
    await one.stop()


async def test_status_shows_it_and_what_was_given_up_goes_to_the_failure_destination(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mutations: a status that looks at the shards alone; a record without its event."""

    async def fails(_: Any, __: Any) -> None:
        raise ValueError("boom")

    failed = tmp_path / "failed.jsonl"
    async with SchedulePoller(
        name="sweep",
        schedule_expression="rate(1 hour)",
        handler=fails,
        state=f"sqlite:{tmp_path}/state.db",
        maximum_retry_attempts=0,
        destination_config={"on_failure": {"destination": {"type": "file", "path": str(failed)}}},
    ) as poller:
        running = asyncio.ensure_future(poller.run())
        async with asyncio.timeout(30):
            while not failed.exists() or not failed.read_text().endswith("\n"):
                await asyncio.sleep(0.05)
        poller.stop()
        await running
    (record,) = map(json.loads, failed.read_text().splitlines())
    assert record["requestPayload"]["source"] == "aws.scheduler"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert "boom" in json.dumps(record["responsePayload"])
    config = {
        "service": {"name": "sweep", "listen": None, "state": f"sqlite:{tmp_path}/state.db"},
        "functions": {"f": {"handler": "h.f"}},
        "mappings": {"sweep": {"source": {"type": "schedule", "schedule_expression": "rate(1 hour)"}, "function": "f"}},
    }
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    capsys.readouterr()
    await asyncio.to_thread(main, ["status", str(tmp_path / "c.yaml"), "--json"])
    (row,) = json.loads(capsys.readouterr().out)["remembered"]["sweep"]
    assert row["outcome"].startswith("failed after 1 attempts")
    assert (row["missed"], row["unfinished"], row["state"]) == (0, 0, "no owner")
    assert row["next"] > row["last"]
