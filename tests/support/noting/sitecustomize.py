"""Python imports this at the start of every process with this folder in PYTHONPATH: its calls to AWS are noted.

botocore, which takes a tenth of a second to import, is not imported for it, but waited for.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.abc import MetaPathFinder
from typing import Any

import aws_calls


class _Waiting(MetaPathFinder):
    """Says nothing, but once botocore's handlers are there."""

    def find_spec(self, name: str, *_: Any) -> Any:
        if name != "botocore.handlers":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        loads = spec.loader.exec_module

        def load(module: Any) -> None:
            loads(module)
            aws_calls.watch()

        spec.loader.exec_module = load
        return spec


if aws_calls.FILE in os.environ:
    sys.meta_path.insert(0, _Waiting())
