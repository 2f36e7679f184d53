"""A folder in which `headrace replay` is run: mappings of one handler, which notes what it was given."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaProducer

from support.command import Project
from support.kafka import Cluster
from support.letters import failure, message

HANDLERS = """
import base64, json, os
def handler(event, context):
    with open("notes", "a") as file:
        file.write(json.dumps({"event": event, "id": context.aws_request_id}) + "\\n")
    return {"batchItemFailures": [{"itemIdentifier": name} for name, body in named(event) if "bad" in body]}
def named(event):
    for one in event.get("Records", ()):
        if "kinesis" in one:
            yield one["kinesis"]["sequenceNumber"], base64.b64decode(one["kinesis"]["data"]).decode()
        elif "body" in one:
            yield one["messageId"], one["body"]
    for part, some in event.get("records", {}).items():
        for one in some:
            yield {"partition": part, "offset": one["offset"]}, base64.b64decode(one["value"]).decode()
"""


class Shop:
    """Commands run in its folder; *sources* are the mappings', by name, *more* the other settings of each.

    *sections* are the config's others, as `kafka`.
    """

    def __init__(
        self, project: Project, sources: dict[str, Any], *, sections: dict[str, Any] | None = None, **more: Any
    ) -> None:
        self.project, self.notes = project, project.folder / "notes"
        (project.folder / "replayed.py").write_text(HANDLERS)
        mapping = {"function": "f", "function_response_types": ["ReportBatchItemFailures"], **more}
        config = {
            "service": {"name": "shop", "listen": None},
            "functions": {"f": {"handler": "replayed.handler", "path": ".", "timeout": 20}},
            "mappings": {name: {"source": source, **mapping} for name, source in sources.items()},
            **(sections or {}),
        }
        project.config.write_text(yaml.safe_dump(config))

    @property
    def folder(self) -> Path:
        return self.project.folder

    def replay(self, source: str = "orders", *arguments: str) -> tuple[int, str]:
        done = self.project.run("replay", "config.yaml", "--from", source, *arguments)
        return done.returncode, done.stdout + done.stderr

    def handled(self) -> list[dict[str, Any]]:
        """What the handler was given since the last look."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        self.notes.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


def destination(**options: Any) -> dict[str, Any]:
    return {"destination_config": {"on_failure": {"destination": options}}}


def bodies(shop: Shop) -> list[str]:
    return [one["body"] for call in shop.handled() for one in call["event"]["Records"]]


def values(shop: Shop) -> list[str]:
    shown = [one for call in shop.handled() for some in call["event"]["records"].values() for one in some]
    return [base64.b64decode(one["value"]).decode() for one in shown]


def produce(cluster: Cluster, topic: str, *values: str | bytes, key: bytes | None = None, **more: Any) -> None:
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)
    for value in values:
        producer.send(topic, value=value.encode() if isinstance(value, str) else value, key=key, **more).get(timeout=30)
    producer.close()


def without_payload(topic: str, first: int, last: int) -> str:
    """A letter that says only where its two messages are."""
    record = failure(message("m", ""))
    del record["payload"], record["SQSMessageInfo"]
    place = {"firstRecordOffset": str(first), "lastRecordOffset": str(last)}
    record["KafkaBatchInfo"] = {"batchSize": 2, "recordsInfo": {f"{topic}-0": place}}
    return json.dumps(record)
