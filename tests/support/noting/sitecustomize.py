"""Python imports this at the start of every process with this folder in PYTHONPATH: its calls to AWS are noted.

Whatever is imported here, every process of the tests waits for; so botocore is waited for, and nothing is.
"""

import sys


class _Waiting:
    """Finds nothing, but once botocore's handlers: they are watched as soon as they are there."""

    def find_spec(self, name, *_):
        if name != "botocore.handlers":
            return None
        import importlib.util  # noqa: PLC0415 - see above

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        loads = spec.loader.exec_module

        def load(module):
            loads(module)
            _watch()

        spec.loader.exec_module = load
        return spec


def _watch():
    """By the file beside this one, wherever modules are looked for meanwhile."""
    import importlib.util  # noqa: PLC0415
    import os  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    spec = importlib.util.spec_from_file_location("aws_calls", Path(__file__).with_name("aws_calls.py"))
    aws_calls = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(aws_calls)
    if aws_calls.FILE in os.environ:
        aws_calls.watch()


sys.meta_path.insert(0, _Waiting())
