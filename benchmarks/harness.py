"""What the clients' benchmarks share: a canned server in a process of its own, a run in another, a peer's environment.

The standard library alone: a run imports this in an environment that lacks the others' packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE.parent / ".cache" / "bench"

AWS = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def server(script: str, *arguments: object) -> Iterator[int]:
    """A canned server in a process of its own; gives its port."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def run(python: str, script: str, *arguments: object) -> dict[str, float]:
    """A contestant's run in a process of its own: the JSON that it prints."""
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, **AWS}
    command = [python, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def ask(port: int, path: str) -> dict[str, Any]:
    """What a canned server answers to a plain GET."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def peer_python(name: str, wanted: Sequence[str]) -> str | None:
    """The Python of a peer's own environment, with the *wanted* packages; None where it cannot be had."""
    home = PEERS / name
    python = home / "bin" / "python"
    pins = home / "pins"
    text = " ".join(wanted)
    if pins.exists() and pins.read_text() == text:
        return str(python)
    with suppress(OSError, subprocess.CalledProcessError):
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)
        pins.write_text(text)
        return str(python)
    return None
