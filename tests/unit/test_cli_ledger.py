"""`status`, `seek`, `pause` and `resume` over a ledger in a file, as an operator types them; no server is asked."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.cli.main import main
from headrace.cli.status import shortened
from headrace.doing import Words
from headrace.ledger import Graph, Ledger, LedgerOpening, Shard
from headrace.sqlite import open_sqlite

SEQUENCE = "49590338271490256608559692538361571095921575989136588898"
SHARDS = [
    Shard(name="shardId-0", position=SEQUENCE, ended=True),
    Shard(name="shardId-1", position="TRIM_HORIZON"),
    Shard(name="shardId-2", position="TRIM_HORIZON", parents=("shardId-1",)),
]


class Shop:
    """A folder with a config of a stream `clicks` and a queue `orders`, and its ledger; at *port* nobody listens."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], port: int) -> None:
        self.folder, self.capsys, self.port = folder, capsys, port
        self.write()

    def write(self, **service: Any) -> None:
        stream = {"type": "kinesis", "stream": "clicks", "region": "eu-central-1"}
        queue = {"type": "sqs", "queue_url": "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"}
        config = {
            "service": {"name": "shop", "listen": f"127.0.0.1:{self.port}", "state": "sqlite:shop.db", **service},
            "functions": {"f": {"handler": "handlers.f", "path": "."}},
            "mappings": {
                "clicks": {
                    "source": stream,
                    "function": "f",
                    "starting_position": "LATEST",
                    "maximum_record_age_in_seconds": 600,
                },
                "orders": {"source": queue, "function": "f"},
            },
        }
        (self.folder / "c.yaml").write_text(yaml.safe_dump(config))

    def run(self, command: str, *arguments: str) -> tuple[int, str, str]:
        """The exit status, and what was said: none of the config's warnings, which `check` and `run` show."""
        status = main([command, str(self.folder / "c.yaml"), *arguments])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert not [line for line in said.err.splitlines() if line.startswith("warning: ")]
        return status, said.out, said.err.rstrip("\n")

    def ledger(self, work: Callable[[Ledger], Awaitable[Any]]) -> Any:
        async def opened() -> Any:
            ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{self.folder / 'shop.db'}", service="shop"))
            try:
                return await work(ledger)
            finally:
                await ledger.close()

        return asyncio.run(opened())

    def begin(self) -> None:
        self.ledger(lambda ledger: ledger.plan("clicks", "clicks@1", SHARDS))

    @property
    def graph(self) -> Graph:
        found: Graph = self.ledger(lambda ledger: ledger.rows("clicks"))
        return found

    @property
    def positions(self) -> dict[str, str]:
        return {row.shard: row.position for row in self.graph.rows}


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str], own_port: int) -> Shop:
    return Shop(tmp_path, capsys, own_port)


def test_seek_moves_every_shard_ended_ones_too(shop: Shop) -> None:
    """Mutation: rows that have ended are left out; an epoch that stays."""
    shop.begin()
    epochs = {row.shard: row.epoch for row in shop.graph.rows}
    status, out, err = shop.run("seek", "clicks", "--to", "TRIM_HORIZON")
    assert (status, err) == (0, "")
    assert f"clicks: shardId-0: from {SEQUENCE} to TRIM_HORIZON\n" in out
    assert set(shop.positions.values()) == {"TRIM_HORIZON"}
    assert not any(row.ended for row in shop.graph.rows)
    assert all(row.epoch > epochs[row.shard] for row in shop.graph.rows)


@pytest.mark.parametrize(
    ("to", "position"),
    [
        ("1700000000", "at:1700000000.000"),
        ("1700000000.5", "at:1700000000.500"),
        ("2023-11-14T22:13:20Z", "at:1700000000.000"),
        ("2023-11-14T22:13:20", "at:1700000000.000"),
        ("2023-11-14T23:13:20+01:00", "at:1700000000.000"),
        (SEQUENCE, f"from:{SEQUENCE}"),
        ("TRIM_HORIZON", "TRIM_HORIZON"),
    ],
)
def test_seek_of_one_shard(shop: Shop, to: str, position: str) -> None:
    """Mutation: a time without a zone that is local; a position behind the record that was named."""
    shop.begin()
    status, _, err = shop.run("seek", "clicks", "--to", to, "--shard", "shardId-1")
    assert (status, err) == (0, "")
    assert shop.positions == {"shardId-0": SEQUENCE, "shardId-1": position, "shardId-2": "TRIM_HORIZON"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", SEQUENCE], "--to: a sequence number is of one shard: name it with --shard"),
        (["--to", "0" * 20, "--shard", "shardId-1"], "is no sequence number of this source"),
        (["--to", "trim_horizon"], "--to: must be TRIM_HORIZON, LATEST, a time (Unix seconds or ISO 8601) or"),
        (["--to", ""], "--to: must be TRIM_HORIZON"),
        (["--to", "nan"], "--to: must be TRIM_HORIZON"),
        (["--to", "yesterday"], "--to: must be TRIM_HORIZON"),
        (["--to=-1"], "--to: is before 1973"),
        (["--to", "20260131"], "--to: is before 1973; a date has dashes, as 2026-01-31"),
        (["--to", "1700000000000"], "--to: lies in the future; a time is in seconds, not milliseconds"),
        (["--to", "TRIM_HORIZON", "--shard", "shardId-9"], "there is no shard 'shardId-9'; did you mean shardId-"),
    ],
)
def test_a_seek_that_cannot_be_done_moves_nothing(shop: Shop, arguments: list[str], said: str) -> None:
    """Mutations: milliseconds taken for seconds, and shards that wait for the year 55840; a date without dashes for
    seconds, and everything that is kept is read again (tried)."""
    shop.begin()
    before = shop.graph
    status, out, err = shop.run("seek", "clicks", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert shop.graph == before


def test_what_is_wrong_in_a_seek_is_said_though_the_store_is_away(shop: Shop) -> None:
    """Mutation: the store is asked first: its error hides the user's own."""
    shop.write(state=f"redis://127.0.0.1:{shop.port}/0")
    status, _, err = shop.run("seek", "clicks", "--to", "yesterday")
    assert (status, "--to: must be TRIM_HORIZON" in err) == (2, True)


def test_what_has_no_positions_cannot_be_moved(shop: Shop) -> None:
    status, _, err = shop.run("seek", "orders", "--to", "LATEST")
    assert status == 2
    assert "mappings.orders: sqs keeps no positions here: what is not deleted comes again by itself; " in err
    assert "send it again" in err
    for command, to in (("seek", ["--to", "LATEST"]), ("pause", []), ("resume", [])):
        status, _, err = shop.run(command, "click", *to)
        assert (status, err) == (2, "there is no mapping 'click'; did you mean clicks?")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_queue_whose_service_does_not_run_cannot_be_paused(shop: Shop, command: str) -> None:
    """Mutation: a pause that is claimed, and that nobody heard of."""
    status, out, err = shop.run(command, "orders")
    assert (status, out) == (2, "")
    assert "is the service running?; a pause of orders is known only to the process that runs it: start it" in err


def test_a_mapping_that_was_never_begun(shop: Shop) -> None:
    """It has no shard to move alone, but may be paused before its first start. Mutation: a seek that says nothing."""
    status, _, err = shop.run("seek", "clicks", "--to", "TRIM_HORIZON", "--shard", "shardId-0")
    assert status == 1
    assert "clicks has no positions: seek all of its shards first, without --shard" in err
    assert shop.run("pause", "clicks") == (0, "clicks is paused: nobody reads it\n", "")
    assert shop.graph.paused


def test_pause_and_resume(shop: Shop) -> None:
    shop.begin()
    assert shop.run("pause", "clicks") == (0, "clicks is paused: nobody reads it\n", "")
    assert shop.run("pause", "clicks") == (0, "clicks is paused already: nobody reads it\n", "")
    status, out, _ = shop.run("seek", "clicks", "--to", "TRIM_HORIZON")
    assert (status, out.splitlines()[-1]) == (0, "clicks is paused: headrace resume has it read on")
    assert shop.graph.paused, "a seek leaves it paused"
    assert shop.run("resume", "clicks") == (0, "clicks is resumed\n", "")
    assert shop.run("resume", "clicks") == (0, "clicks was not paused\n", "")
    assert not shop.graph.paused


def test_pause_waits_until_whoever_reads_has_let_go(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a pause that claims to be done while handlers work."""
    shop.begin()
    shop.ledger(lambda ledger: ledger.acquire("clicks", "shardId-1", "w", 0.5))
    assert shop.run("pause", "clicks") == (0, "clicks is paused: nobody reads it\n", "")
    shop.run("resume", "clicks")
    monkeypatch.setattr("headrace.cli.pause.SETTLING", 0.1)
    shop.ledger(lambda ledger: ledger.acquire("clicks", "shardId-1", "w", 60))
    status, out, _ = shop.run("pause", "clicks")
    assert (status, out) == (
        0,
        "clicks is to be paused: at work still on shardId-1; headrace status shows when it is\n",
    )


def test_status_shows_every_shard_without_a_running_service(shop: Shop) -> None:
    """Mutation: shards only when a copy answers; words of an owner that is gone."""
    shop.begin()

    async def tell(ledger: Ledger) -> None:
        lease = await ledger.acquire("clicks", "shardId-1", "box:1:aa", 60)
        assert lease is not None
        said = Words(
            state="retrying", reason="batch at 7, attempt 3 next: boom", since=time.time() - 3 * 86400, behind=90.0
        )
        await ledger.renew({lease: said.text()}, 60)

    shop.ledger(tell)
    status, out, err = shop.run("status", "--json")
    assert status == 0
    assert "nothing answers at 127.0.0.1:" in err
    said = json.loads(out)
    first, second, third = said["shards"]["clicks"]
    assert (first["state"], second["state"], third["state"]) == ("ended", "retrying", "waiting")
    assert (second["owner"], second["lag_seconds"], second["epoch"]) == ("box:1:aa", 90.0, 1)
    assert third["reason"] == "for parent shardId-1"
    assert "orders" not in said["shards"]
    status, out, _ = shop.run("status")
    assert status == 0
    assert "clicks: 3 shards (1 ended, 1 retrying, 1 waiting), 1 owner; up to 1.5 min behind\n" in out
    assert re.search(
        r"shardId-1 +retrying +3\.0 d +batch at 7, attempt 3 next: boom +box:1:aa +1\.5 min +0 +TRIM_HORIZON", out
    )
    assert SEQUENCE in out, "whole where it is not a terminal"


def test_a_sequence_number_fits_a_terminal() -> None:
    """Shards' names and times stay whole. Mutation: a position that folds over four lines."""
    assert shortened(f"batch at {SEQUENCE}, attempt 3") == "batch at 495903…36588898, attempt 3"
    assert shortened("shardId-000000000001") == "shardId-000000000001"


def test_status_of_what_was_never_begun(shop: Shop) -> None:
    status, out, _ = shop.run("status")
    assert (status, out.strip()) == (0, "clicks: no positions: never begun, or its store was emptied")


def test_status_of_what_was_paused_before_it_began(shop: Shop) -> None:
    """Mutation, tried: a pause that only shards show: why it does not begin is said nowhere."""
    shop.run("pause", "clicks")
    said = "clicks: no positions: never begun, or its store was emptied; paused: headrace resume has it read"
    assert said in shop.run("status")[1]
    shop.run("resume", "clicks")
    assert "paused" not in shop.run("status")[1]


COMMANDS = [["seek", "clicks", "--to", "TRIM_HORIZON"], ["pause", "clicks"], ["resume", "clicks"], ["status"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_ledger_that_cannot_be_asked(shop: Shop, command: list[str]) -> None:
    """One line with the reason, and 1. Mutation: a traceback; a status of 0."""
    for state, said in (
        (f"redis://127.0.0.1:{shop.port}/0", f"Redis at 127.0.0.1:{shop.port}"),
        ("sqlite:no/such/folder/shop.db", "cannot be opened; is its folder there"),
        ("sqlite:theirs.db", "is a database of something else; name another file"),
        ("sqlite:text.db", "is not an SQLite database; name another file"),
        ("memory:", "memory: only the running copy knows it"),
    ):
        with sqlite3.connect(shop.folder / "theirs.db") as theirs:
            theirs.execute("CREATE TABLE IF NOT EXISTS t (a)")
        theirs.close()
        (shop.folder / "text.db").write_text("no database at all, but a text that is long enough to tell" * 20)
        shop.write(state=state)
        status, _, err = shop.run(*command)
        assert status == 1, state
        if command != ["status"] or state != "memory:":  # of that, status asks the running copy
            assert said in err, state


def test_status_makes_no_file(shop: Shop) -> None:
    """Mutation: a look that leaves an empty ledger behind, which is then taken for one that was begun."""
    status, out, err = shop.run("status")
    assert (status, "never begun" in out) == (0, True)
    assert "shop.db is not there: nothing was run with it yet, or it was removed" in err
    assert not (shop.folder / "shop.db").exists()
