# ruff: noqa: INP001, T201 - a script that prints
"""`make testbed-demo`: the shop of configs/shop.yaml without AWS, by the commands that a developer types.

Exit 0 only when every record was handled, filtered or has failed, and lies where the report says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONFIG = "configs/shop.yaml"
EVENTS = "configs/shop/events"
FAILED = {"orders": 1, "refunds": 0, "clicks": 1, "stock": 1, "payments": 1}
"""Records of the events that no attempt helps."""


def main() -> int:
    headrace = shutil.which("headrace", path=str(Path(sys.executable).parent))
    if headrace is None:
        sys.exit("there is no `headrace` beside this Python; start the demo with `make testbed-demo`")

    def type_in(*words: str, quiet: bool = False) -> str:
        """One command; what it printed."""
        if not quiet:
            print(f"\n$ headrace testbed {' '.join(words)}", flush=True)
        done = subprocess.run([headrace, "testbed", *words], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if not quiet:
            print(done.stdout, end="", flush=True)
        if done.returncode:
            sys.exit(f"it ended with status {done.returncode}")
        return done.stdout

    type_in("up", CONFIG)
    try:
        type_in("send", CONFIG, "orders", f"{EVENTS}/orders.jsonl")
        type_in("send", CONFIG, "refunds", f"{EVENTS}/refunds.jsonl", "--key-field", "customer")
        type_in("send", CONFIG, "clicks", f"{EVENTS}/clicks.jsonl", "--key-field", "visitor")
        type_in("send", CONFIG, "stock", f"{EVENTS}/stock.jsonl")
        type_in("send", CONFIG, "payments", f"{EVENTS}/payments.jsonl")
        type_in("send", CONFIG, "payments", "--generate", "2000", "--rate", "1000")
        type_in("run", CONFIG, "--exit-when-idle", "3")
        told = json.loads(type_in("report", CONFIG, "--json", quiet=True))
    finally:
        type_in("down", CONFIG)
    faults = list(_faults(told["mappings"]))
    print("\n" + ("\n".join(faults) or "it adds up: every record was handled or filtered out, or has failed"))
    return 1 if faults else 0


def _faults(mappings: dict[str, Any]) -> list[str]:
    found = []
    for name, one in mappings.items():
        ended = one["delivered"] + one["filtered"] + len(one["failed"])
        if one["waiting"] or one["dropped"] or ended < one["sent"]:
            found.append(f"{name}: {ended} of {one['sent']} ended, {one['waiting']} wait, {one['dropped']} are dropped")
        if len(one["failed"]) != FAILED[name]:
            found.append(f"{name}: {len(one['failed'])} failed instead of {FAILED[name]}")
    return found


if __name__ == "__main__":
    sys.exit(main())
