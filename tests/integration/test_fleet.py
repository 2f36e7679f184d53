"""Two copies of `headrace run` over one ledger and a Kinesis stream of four shards, and an operator beside them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from headrace.cli.main import main
from headrace.ledger import LedgerOpening, Shard
from headrace.sqlite import open_sqlite
from support import kinesis
from support.command import Project, Running, project, wait_for
from support.kinesis import PRODUCER, KinesisLocal, kinesis_client
from support.redis import Valkey
from support.servers import REGION

HANDLERS = """
import base64, os, time
def note(word, event):
    with open("handled.txt", "a") as file:
        for record in event["Records"]:
            shard, _, number = record["eventID"].partition(":")
            data = base64.b64decode(record["kinesis"]["data"]).decode()
            file.write(f"{word} {data} {shard} {number} {os.getpid()}\\n")
def slow(event, context):
    note("begun", event)
    time.sleep(0.2)
    note("done", event)
"""
FIRST = [f"first-{number}" for number in range(24)]
SECOND = [f"second-{number}" for number in range(8)]


Capsys: TypeAlias = pytest.CaptureFixture[str]


class Fleet:
    """Copies that share a ledger; `begun` and `done` are (data, shard, sequence number) as often as they came."""

    def __init__(self, shop: Project, server: KinesisLocal, capsys: Capsys, state: str) -> None:
        self.shop, self.server, self.capsys = shop, server, capsys
        self.stream: str = self.call(lambda client: kinesis.make_stream(client, shards=4))
        (shop.folder / "handlers.py").write_text(HANDLERS)
        shop.config.write_text(
            yaml.safe_dump(
                {
                    "service": {"name": "shop", "listen": "127.0.0.1:0", "state": state, "lease_ttl": 4},
                    "aws": {"region": REGION, "endpoint_url": server.url},
                    "functions": {"f": {"handler": "handlers.slow", "path": "."}},
                    "mappings": {
                        "clicks": {
                            "source": {"type": "kinesis", "stream": self.stream},
                            "function": "f",
                            "starting_position": "TRIM_HORIZON",
                            "maximum_record_age_in_seconds": 3600,
                            "batch_size": 5,
                        }
                    },
                }
            )
        )

    def call(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def called() -> Any:
            async with kinesis_client(self.server.url) as client:
                return await work(client)

        return asyncio.run(called())

    def put(self, data: Sequence[str]) -> None:
        self.call(lambda client: kinesis.put(client, self.stream, data))

    def start(self) -> Running:
        return self.shop.start("run", "config.yaml")

    def carry_out(self, command: str, *arguments: str) -> str:
        """What a command says that an operator types: in this process, for starting another takes its time."""
        status = main([command, str(self.shop.config), *arguments])
        said = self.capsys.readouterr()
        assert status == 0, said.err
        return said.out

    def shards(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = json.loads(self.carry_out("status", "--json"))["shards"]["clicks"]
        return shown

    def until(self, true: Callable[[list[dict[str, Any]]], bool], what: str) -> list[dict[str, Any]]:
        """The shards, once they are as they should be."""
        shown: list[dict[str, Any]] = []

        def look() -> bool:
            time.sleep(0.2)  # a status of each moment would keep a ledger in a file busy
            shown[:] = self.shards()
            return true(shown)

        wait_for(look, what)
        return shown

    def noted(self, word: str) -> list[tuple[str, str, str]]:
        file = self.shop.folder / "handled.txt"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [(data, shard, number) for said, data, shard, number, _ in lines if said == word]

    @property
    def done(self) -> Counter[str]:
        return Counter(data for data, _, _ in self.noted("done"))

    def until_done(self, wanted: Counter[str]) -> None:
        wait_for(lambda: self.done >= wanted, f"{wanted - self.done} are missing")
        assert self.done == wanted


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name, value in PRODUCER.items():
        monkeypatch.setenv(name, value)
    with project(tmp_path) as made:
        yield made


def spread(shown: list[dict[str, Any]]) -> bool:
    """Two shards each, all read, and each told of by its owner."""
    owners = Counter(shard["owner"] for shard in shown)
    return sorted(owners.values()) == [2, 2] and None not in owners and all(shard["since"] for shard in shown)


def test_a_fleet_on_one_machine_and_its_operator(shop: Project, kinesis_local: KinesisLocal, capsys: Capsys) -> None:
    """Mutations: a pause that one copy does not hear of; a seek that raises no epoch, or forgets a shard."""
    fleet = Fleet(shop, kinesis_local, capsys, "sqlite:fleet.db")
    fleet.put(FIRST)
    copies = [fleet.start(), fleet.start()]
    fleet.until_done(Counter(FIRST))
    shown = fleet.until(lambda shards: spread(shards) and {one["state"] for one in shards} == {"reading"}, "spread")
    last: dict[str, str] = {}
    for _, shard, number in fleet.noted("done"):
        last[shard] = max(last.get(shard, "0"), number, key=int)
    assert {one["shard"]: one["position"] for one in shown if one["shard"] in last} == last
    assert [one["lag_seconds"] for one in shown] == [0] * 4

    between = time.time()
    fleet.put(SECOND)
    wait_for(lambda: fleet.noted("begun")[len(FIRST) :], "nothing of the second ones")
    assert "nobody reads it" in fleet.carry_out("pause", "clicks")
    handled = fleet.noted("begun")
    assert sorted(handled) == sorted(fleet.noted("done")), "what was at a handler was finished"
    fleet.put(["third"])
    shown = fleet.shards()
    assert {(one["state"], one["owner"]) for one in shown} == {("paused", None)}
    assert fleet.noted("begun") == handled, "nothing is handled in a pause"
    fleet.carry_out("resume", "clicks")
    wanted = Counter([*FIRST, *SECOND, "third"])
    fleet.until_done(wanted)

    epochs = {one["shard"]: one["epoch"] for one in fleet.until(spread, "spread again")}
    fleet.carry_out("seek", "clicks", "--to", "TRIM_HORIZON")
    wanted += Counter([*FIRST, *SECOND, "third"])
    fleet.until_done(wanted)
    assert all(one["epoch"] > epochs[one["shard"]] for one in fleet.shards())

    fleet.carry_out("seek", "clicks", "--to", str(between))
    wanted += Counter([*SECOND, "third"])
    fleet.until_done(wanted)

    data, shard, number = fleet.noted("done")[0]
    later = {one for one, where, at in fleet.noted("done") if where == shard and int(at) >= int(number)}
    assert data in later
    fleet.carry_out("seek", "clicks", "--to", number, "--shard", shard)
    wanted += Counter(later)
    fleet.until_done(wanted)
    for copy in copies:
        copy.signal(signal.SIGTERM)
    assert [copy.wait() for copy in copies] == [0, 0]


def test_shards_move_over_redis_when_a_copy_ends(shop: Project, kinesis_local: KinesisLocal, capsys: Capsys) -> None:
    """Without repeats, while records come. Mutation: a stop that does not commit, or keeps its leases."""
    with Valkey() as valkey:
        fleet = Fleet(shop, kinesis_local, capsys, valkey.url)
        copies = [fleet.start(), fleet.start()]
        fleet.until(spread, "spread")
        fleet.put(FIRST[:12])
        copies[0].signal(signal.SIGTERM)
        fleet.put(FIRST[12:])
        assert copies[0].wait() == 0
        fleet.put(SECOND)
        fleet.until_done(Counter([*FIRST, *SECOND]))
        shown = fleet.until(lambda shards: None not in {one["owner"] for one in shards}, "all are owned")
        assert len({one["owner"] for one in shown}) == 1
        assert re.findall(r"lease\.taken .*crashes=([1-9])", copies[1].err) == [], "they were let go of, not lost"
        assert "nobody reads it" in fleet.carry_out("pause", "clicks")
        fleet.carry_out("seek", "clicks", "--to", "LATEST")
        fleet.put(["later"])
        fleet.carry_out("resume", "clicks")
        fleet.until_done(Counter([*FIRST, *SECOND, "later"]))
        copies[1].signal(signal.SIGTERM)
        assert copies[1].wait() == 0


def test_a_store_that_was_emptied_while_no_copy_ran_stops_the_mapping_until_a_seek(
    shop: Project, kinesis_local: KinesisLocal, capsys: Capsys
) -> None:
    """Mutation: an emptied store is a first start, at LATEST: what came meanwhile is passed over without a word."""
    with Valkey() as valkey:
        fleet = Fleet(shop, kinesis_local, capsys, valkey.url)
        shop.config.write_text(shop.config.read_text().replace("TRIM_HORIZON", "LATEST"))
        one = fleet.start()
        fleet.until(lambda shards: bool(shards) and all(shard["owner"] for shard in shards), "read")
        fleet.put(FIRST)
        fleet.until_done(Counter(FIRST))
        one.signal(signal.SIGTERM)
        assert one.wait() == 0
        fleet.put(SECOND)
        valkey.ask("FLUSHALL")
        two = fleet.start()
        wait_for(lambda: "has no positions of clicks any more" in str(two.get("/readyz")), "no reason is given")
        assert two.get("/readyz")[0] == 503
        fleet.carry_out("seek", "clicks", "--to", "TRIM_HORIZON")
        fleet.until_done(Counter([*FIRST, *FIRST, *SECOND]))
        wait_for(lambda: two.get("/readyz")[0] == 200, "it is not ready again")
        two.signal(signal.SIGTERM)
        assert two.wait() == 0


def test_on_another_machine_too_where_the_mapping_begins_only_as_it_is_told(
    shop: Project,
    kinesis_local: KinesisLocal,
    capsys: Capsys,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`on_missing_positions: fail`, and no witness. Mutation: it is taken for a first start, at LATEST."""
    with Valkey() as valkey:
        fleet = Fleet(shop, kinesis_local, capsys, valkey.url)
        latest = "starting_position: LATEST\n    on_missing_positions: fail"
        shop.config.write_text(shop.config.read_text().replace("starting_position: TRIM_HORIZON", latest))

        def begun(to: str) -> Running:
            one = fleet.start()
            wait_for(lambda: "With on_missing_positions: fail it begins where" in str(one.get("/readyz")), "no reason")
            assert one.get("/readyz")[0] == 503
            fleet.carry_out("seek", "clicks", "--to", to)
            fleet.until(lambda shards: bool(shards) and all(shard["owner"] for shard in shards), "read")
            return one

        one = begun("LATEST")
        fleet.put(FIRST)
        fleet.until_done(Counter(FIRST))
        one.signal(signal.SIGTERM)
        assert one.wait() == 0
        fleet.put(SECOND)
        valkey.ask("FLUSHALL")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("elsewhere")))
        two = begun("TRIM_HORIZON")
        fleet.until_done(Counter([*FIRST, *FIRST, *SECOND]))
        two.signal(signal.SIGTERM)
        assert two.wait() == 0


def test_a_seek_begins_what_is_paused_and_says_that_it_is(
    shop: Project, kinesis_local: KinesisLocal, capsys: Capsys
) -> None:
    """Mutation, tried: nothing is said of the pause where there were no positions."""
    fleet = Fleet(shop, kinesis_local, capsys, "sqlite:fleet.db")
    fleet.carry_out("pause", "clicks")
    *begun, last = fleet.carry_out("seek", "clicks", "--to", "TRIM_HORIZON").splitlines()
    assert begun == [f"clicks: shardId-00000000000{number}: begins from TRIM_HORIZON" for number in range(4)]
    assert last == "clicks is paused: headrace resume has it read on"


def test_a_seek_leaves_what_was_read_to_its_end_and_is_gone(
    shop: Project, kinesis_local: KinesisLocal, capsys: Capsys
) -> None:
    """Mutation: its row is moved too: whoever reads it finds no shard, takes that for a loss, and its children wait."""
    fleet = Fleet(shop, kinesis_local, capsys, "sqlite:fleet.db")

    async def begin() -> None:
        path = shop.folder / "fleet.db"
        ledger = await open_sqlite(LedgerOpening(url=f"sqlite:{path}", service="shop"))
        names = {
            name: name == "shardId-000000000000" for name in ("gone", "shardId-000000000000", "shardId-000000000001")
        }
        rows = [
            Shard(name=name, position="TRIM_HORIZON", ended=ended or name == "gone") for name, ended in names.items()
        ]
        await ledger.plan("clicks", "stream", rows)
        await ledger.close()

    asyncio.run(begin())
    said = fleet.carry_out("seek", "clicks", "--to", "1700000000")
    assert re.findall(r"clicks: (\S+): from", said) == ["shardId-000000000000", "shardId-000000000001"]
    states = {shard["shard"]: shard["state"] for shard in fleet.shards()}
    assert states == {"gone": "ended", "shardId-000000000000": "no owner", "shardId-000000000001": "no owner"}
