"""`headrace replay` of a letter whose record is in a claim check: handled as it was, from no place but the config's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.cli.main import main
from support.letters import failure, invocation, message

ID = "0f0e0d0c-0b0a-4a09-8807-060504030201"


class Shop:
    """A folder with a mapping `orders` of a function `f`, each with a claim check of its own, and a file of letters."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes = folder, folder / "notes"
        module = f"claimed_{folder.name.replace('-', '_')}"
        handler = f"def f(event, context):\n    with open({str(self.notes)!r}, 'a') as file:\n        file.write"
        (folder / f"{module}.py").write_text(f"import json\n{handler}(json.dumps(event) + chr(10))\n")
        url = "https://sqs.eu-central-1.amazonaws.com/000000000000/orders"
        config = {
            "service": {"name": "shop", "listen": None},
            "functions": {"f": {"handler": f"{module}.f", "path": ".", "event_invoke_config": self._told("events")}},
            "mappings": {
                "orders": {"source": {"type": "sqs", "queue_url": url}, "function": "f", **self._told("orders")}
            },
        }
        (folder / "c.yaml").write_text(yaml.safe_dump(config))

    @staticmethod
    def _told(check: str) -> dict[str, Any]:
        to = {"type": "file", "path": "failed"}
        return {
            "destination_config": {"on_failure": {"destination": to, "claim_check": {"type": "file", "path": check}}}
        }

    def put(self, *letters: dict[str, Any]) -> None:
        (self.folder / "failed").write_text("".join(f"{json.dumps(one)}\n" for one in letters))

    def replay(self) -> int:
        return main(["replay", str(self.folder / "c.yaml"), "--from", str(self.folder / "failed")])

    def handled(self) -> list[Any]:
        return [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Shop(tmp_path)


def kept(folder: Path, place: str, record: dict[str, Any]) -> dict[str, Any]:
    """*record* in a claim check, and what its destination was told instead."""
    path = folder / place / f"{len(list(folder.glob('*/*.json')))}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    told = {key: one for key, one in record.items() if key not in {"payload", "requestPayload", "responsePayload"}}
    return {**told, "claimCheck": {"type": "file", "path": str(path)}}


def test_the_whole_record_is_handled(shop: Shop) -> None:
    """Mutations: the ticket is the event; taken for a record that says where its records are."""
    one = kept(shop.folder, "orders", failure(message("a", {"n": 1}), cls="handler_error"))
    other = kept(shop.folder, "events", invocation({"n": 2}, ID))
    shop.put(one, other, failure(message("c", {"n": 3})))
    assert shop.replay() == 0
    shown = shop.handled()
    assert [one["Records"][0]["body"] for one in shown if "Records" in one] == ['{"n": 1}', '{"n": 3}']
    assert [one for one in shown if "Records" not in one] == [{"n": 2}]


def test_what_is_of_no_claim_check_of_the_config_stays(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """Anybody may have sent it. Mutation: whatever it names is read."""
    strange = kept(shop.folder, "elsewhere", failure(message("a", {"n": 1}), cls="handler_error"))
    gone = kept(shop.folder, "orders", failure(message("b", {"n": 2}), cls="handler_error"))
    Path(gone["claimCheck"]["path"]).unlink()
    shop.put(strange, gone)
    assert shop.replay() == 1
    said = "".join(capsys.readouterr())
    assert "in a claim check that the config does not have" in said
    assert "cannot be had from there" in said
    assert shop.handled() == []
