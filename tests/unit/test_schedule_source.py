"""The schedule source as it is configured, listed, shown and used as a library."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.calls import Call
from headrace.cli.main import main
from headrace.errors import ConfigError
from headrace.ledger import LedgerOpening
from headrace.sqlite import open_sqlite
from headrace_connectors import SchedulePoller


class Shop:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def write(self, source: dict[str, Any], state: str = "sqlite:shop.db", **mapping: Any) -> None:
        module = f"handlers_{secrets.token_hex(4)}"  # each test loads its own into this process
        (self.folder / f"{module}.py").write_text("def f(event, context): print('ran', event['time'], flush=True)")
        config = {
            "service": {"name": "shop", "listen": None, "state": state},
            "functions": {"f": {"handler": f"{module}.f", "path": "."}},
            "mappings": {"report": {"source": {"type": "schedule", **source}, "function": "f", **mapping}},
        }
        (self.folder / "c.yaml").write_text(yaml.safe_dump(config))

    def run(self, *words: str) -> tuple[int, str, str]:
        status = main([*words[:-1], str(self.folder / "c.yaml"), *words[-1].split()])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return status, said.out, said.err


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "source.schedule_expression: is required"),
        ({"schedule_expression": "cron(0 12 * * * *)"}, "source.schedule_expression: column"),
        ({"schedule_expression": "rate(1 week)"}, "source.schedule_expression: column 8, unit"),
        (
            {"schedule_expression": "cron(0 12 * * ? *)", "schedule_expression_timezone": "Europe/Berln"},
            "source.schedule_expression_timezone: there is no time zone 'Europe/Berln'; did you mean Europe/Berlin?",
        ),
        (
            {"schedule_expression": "at(2030-01-01T00:00:00)", "dialect": "rule"},
            "at(…) is of the dialect scheduler",
        ),
        (
            {"schedule_expression": "rate(1 hour)", "dialect": "rule", "start_date": "2026-01-01T00:00:00Z"},
            "source.start_date: is of the dialect scheduler",
        ),
        (
            {"schedule_expression": "rate(1 hour)", "flexible_time_window": {"mode": "FLEXIBLE"}},
            "mode: FLEXIBLE and maximum_window_in_minutes go together",
        ),
        (
            {"schedule_expression": "rate(1 hour)", "input": "{not json"},
            "source.input: it must be JSON once its tokens are replaced",
        ),
        (
            {"schedule_expression": "rate(1 hour)", "start_date": "2027-01-01", "end_date": "2026-01-01"},
            "source.end_date: is before start_date",
        ),
        ({"schedule_expression": "rate(1 hour)", "start_date": "99999999999999"}, "start_date: must be Unix seconds"),
        ({"schedule_expression": "rate(1 hour)", "catchup_window": 99999999999}, "source.catchup_window: must be"),
        (
            {"schedules": {"a": {"schedule_expression": "rate(0 hours)"}}},
            "source.schedules.a.schedule_expression: column",
        ),
        (
            {"schedule_expression": "rate(1 hour)", "schedules": {"a": {"schedule_expression": "rate(1 hour)"}}},
            "stands beside schedules",
        ),
        ({"schedules": {"a/b": {"schedule_expression": "rate(1 hour)"}}}, "a name has 1 to 64 letters"),
        ({"schedule_expression": "rate(1 hour)", "overlp": "skip"}, "did you mean overlap?"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(shop: Shop, source: dict[str, Any], said: str) -> None:
    """Mutation: a fault without its place, or a traceback."""
    shop.write(source)
    status, _, err = shop.run("check", "")
    assert status == 2
    assert said in err
    assert "c.yaml:" in err


@pytest.mark.parametrize(
    ("one", "place"),
    [
        ({"schedule_expression": "rate(0 hours)", "overlap": "never"}, "a.overlap"),
        ({"schedule_expression": "rate(0 hours)", "overlp": "skip"}, "a.overlp"),
        (
            {"schedule_expression": "rate(0 hours)", "flexible_time_window": {"mode": "FLEXIBLE"}},
            "a.flexible_time_window",
        ),
        (5, "a"),
    ],
)
def test_a_schedule_of_the_wrong_shape_hides_no_fault_of_the_others_nor_its_own(
    shop: Shop, one: object, place: str
) -> None:
    """Mutations: what is lost of one schedule is lost of all, as they have the same settings; an entry of which all is
    lost leaves nothing to go by."""
    dates = {"start_date": "2027-01-01", "end_date": "2026-01-01"}
    shop.write(
        {
            "schedules": {
                "a": one,
                "b": {"schedule_expression": "rate(1 week)"},
                "c": {"schedule_expression": "rate(1 hour)", "schedule_expression_timezone": "Europe/Berln"},
                "d": {"schedule_expression": "rate(1 hour)", **dates},
                "e": {"input": {}},
            }
        }
    )
    _, _, err = shop.run("check", "")
    places = {"b.schedule_expression", "c.schedule_expression_timezone", "d.end_date", "e.schedule_expression", place}
    own = {"a.schedule_expression"} if isinstance(one, dict) else set()
    told = {line.split("source.schedules.")[1].split(": ")[0] for line in err.splitlines() if "warning" not in line}
    assert told == places | own


def test_a_rate_needs_a_store_that_remembers(shop: Shop) -> None:
    """Mutation: a rate that fires again at each start."""
    shop.write({"schedule_expression": "rate(1 hour)"}, state="memory:")
    status, _, err = shop.run("check", "")
    assert (status, "memory: forgets" in err) == (2, True)
    shop.write({"schedule_expression": "cron(0 12 * * ? *)"}, state="memory:")
    assert shop.run("check", "")[0] == 0


def test_a_date_may_be_a_number(shop: Shop) -> None:
    shop.write({"schedule_expression": "rate(1 hour)", "start_date": 1767225600})
    assert shop.run("check", "")[0] == 0


def test_an_empty_zone_is_none(shop: Shop) -> None:
    """Mutation, tried: it is UTC, as where there is no zone: a variable that is empty goes unnoticed."""
    shop.write({"schedule_expression": "cron(0 12 * * ? *)", "schedule_expression_timezone": ""})
    status, _, err = shop.run("check", "")
    assert (status, "schedule_expression_timezone: must be a text, not empty" in err) == (2, True), err


def test_settings_of_batches_are_refused(shop: Shop) -> None:
    for name, value in (("batch_size", 10), ("parallelization_factor", 2), ("starting_position", "LATEST")):
        shop.write({"schedule_expression": "rate(1 hour)"}, **{name: value})
        status, _, err = shop.run("check", "")
        assert (status, f"mappings.report.{name}:" in err) == (2, True), err


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"schedule_expression": "cron(0 0 31 2 ? *)"}, "no day up to the year 2199 is such a one"),
        ({"schedule_expression": "at(2020-01-01T00:00:00)"}, "all its times are before 20"),
        (
            {"schedule_expression": "cron(30 2 ? 3 SUNL 2190-2199)", "schedule_expression_timezone": "Europe/Berlin"},
            "after 20",
        ),
        ({"schedule_expression": "rate(1 hour)", "end_date": "2020-01-01"}, "its first time comes after its end date"),
    ],
)
def test_one_that_never_fires_is_warned_of(shop: Shop, source: dict[str, Any], why: str) -> None:
    """With the reason that `schedule explain` gives. Mutation, tried: an end date that is past is no day at all."""
    shop.write(source)
    status, _, err = shop.run("check", "")
    assert (status, f"schedule_expression: never fires: {why}" in err) == (0, True), err


def test_list_shows_local_times_and_utc(shop: Shop) -> None:
    """Mutation: the zone is left out; a clock change without a note."""
    shop.write(
        {
            "schedule_expression_timezone": "Europe/Berlin",
            "schedules": {
                "night": {"schedule_expression": "cron(30 2 * * ? *)"},
                "hourly": {"schedule_expression": "rate(1 hour)", "schedule_expression_timezone": "UTC"},
            },
        }
    )
    status, out, _ = shop.run("schedule", "list", "--from 2026-03-28T00:00:00Z --count 2")
    assert status == 0
    assert "report/night: cron(30 2 * * ? *)" in out
    assert "2026-03-28T01:30:00Z" in out
    assert "does not exist, as clocks go from 02:00 to 03:00" in out
    assert "2026-03-30T00:30:00Z" in out
    assert not (shop.folder / "shop.db").exists(), "looking makes no file"
    status, out, _ = shop.run("schedule", "list", "--from 2026-03-28T00:00:00Z --count 2 --json")
    found = json.loads(out)
    assert found["report/night"]["next"] == ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]
    assert found["report/hourly"]["next"] == ["2026-03-28T00:00:00Z", "2026-03-28T01:00:00Z"]


def test_status_shows_schedules_that_were_never_run(shop: Shop) -> None:
    """Mutation, tried: streams alone are shown where the store's file is not there, and a config of schedules fails."""
    shop.write({"schedule_expression": "cron(0 12 * * ? *)"})
    status, out, err = shop.run("status", "")
    assert (status, "never begun" in out, "shop.db is not there" in err) == (0, True, True)
    assert not (shop.folder / "shop.db").exists(), "looking makes no file"


def test_seek_of_a_schedule_is_refused_with_the_reason(shop: Shop) -> None:
    shop.write({"schedule_expression": "rate(1 hour)"})
    status = main(["seek", str(shop.folder / "c.yaml"), "report", "--to", "LATEST"])
    assert status == 2
    assert "a schedule has no positions to go back to" in shop.capsys.readouterr().err


def test_a_pause_waits_for_the_invocations_that_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a pause that looks at the buckets alone."""
    monkeypatch.setattr("headrace.cli.pause.SETTLING", 0.0)
    shop.write({"schedule_expression": "rate(1 hour)"})

    async def take() -> None:
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{shop.folder}/shop.db", service="shop"))
        await ledger.put("report", [Call(id="a", event="{}"), Call(id="b", event="{}")])
        await ledger.take("report", "another", 1, 60.0)
        await ledger.close()

    asyncio.run(take())
    status = main(["pause", str(shop.folder / "c.yaml"), "report"])
    out = shop.capsys.readouterr().out
    assert (status, out) == (
        0,
        "report is to be paused: at work still on 1 invocations; headrace status shows when it is\n",
    )


async def test_a_program_polls_a_schedule(tmp_path: Path) -> None:
    """It fires at once, as it is new; a second start over the same store does not fire it again."""
    seen: list[dict[str, Any]] = []

    async def handler(event: dict[str, Any], _: Any) -> None:
        seen.append(event)

    for _ in range(2):
        arguments = {"name": "sweep", "state": f"sqlite:{tmp_path}/state.db", "handler": handler}
        async with SchedulePoller(schedule_expression="rate(1 hour)", **arguments) as poller:  # type: ignore[arg-type]
            running = asyncio.ensure_future(poller.run())
            await asyncio.sleep(0)
            async with asyncio.timeout(30):
                while not seen:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1.5)
            poller.stop()
            await running
    (event,) = seen
    assert event["source"] == "aws.scheduler"
    assert event["resources"] == ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/sweep"]
    assert event["detail"] == "{}"


def test_arguments_are_checked_as_the_file_is() -> None:
    with pytest.raises(ConfigError, match=r"schedule_expression: column 1"):
        SchedulePoller(name="x", schedule_expression="cron 5", handler=print)
    with pytest.raises(ConfigError, match="memory: forgets"):
        SchedulePoller(name="x", schedule_expression="rate(1 hour)", handler=print, state="memory:")
