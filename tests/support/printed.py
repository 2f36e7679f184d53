"""All that `headrace iam` can print: the actions of a config that has everything, run, checked and replayed."""

from __future__ import annotations

from pathlib import Path

from headrace.config import Config, load
from headrace.plugins import discover
from headrace_connectors.iam import gathering, replays

FILE = Path(__file__).with_name("everything.yaml")
LETTERS = ("url", "arn", "bucket", "queue")
"""Where letters of it lie: what its destinations keep, and what its queue's own redrive policy moves."""


def everything() -> Config:
    return load([FILE], discover(), {})


def actions() -> set[str]:
    config = everything()
    found = gathering.gather(config, config.all)
    for source in LETTERS:
        found += replays.gather(config, source, list(config.mappings))
    return {right.action for one in found for right in one.rights}
