"""A folder in which `headrace replay` is run: mappings of one handler, which notes what it was given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from support.command import Project

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
    """Commands run in its folder; *sources* are the mappings', by name, *more* the other settings of each."""

    def __init__(self, project: Project, sources: dict[str, Any], **more: Any) -> None:
        self.project, self.notes = project, project.folder / "notes"
        (project.folder / "replayed.py").write_text(HANDLERS)
        mapping = {"function": "f", "function_response_types": ["ReportBatchItemFailures"], **more}
        config = {
            "service": {"name": "shop", "listen": None},
            "functions": {"f": {"handler": "replayed.handler", "path": ".", "timeout": 20}},
            "mappings": {name: {"source": source, **mapping} for name, source in sources.items()},
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
