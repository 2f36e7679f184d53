"""The environment that the functions of one process share: theirs, as whom they call AWS, and what Lambda sets."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from headrace import own
from headrace.credentials import Identity
from headrace.errors import Fault
from headrace.functions import context
from headrace.functions.identity import VARIABLES, variables
from headrace.functions.importing import folder_of
from headrace.functionsettings import FunctionSettings

_All: TypeAlias = Mapping[str, FunctionSettings]


def faults(name: str, function: FunctionSettings) -> Iterator[Fault]:
    """What cannot be an environment. Values may be secrets, and are not shown."""
    place, who = f"functions.{name}.environment", Identity.of(function)
    for variable, value in function.environment.items():
        if not _can_be_set(variable, value):
            yield Fault(f"{place}.{variable}", "cannot be an environment variable; its name must be free of =")
    if who != Identity() and (too := sorted(function.environment.keys() & set(VARIABLES))):
        yield Fault(f"{place}.{too[0]}", f"says who the function is, as {who.said} does; write one of them")


@contextmanager
def restored_on_error() -> Iterator[None]:
    """The environment, and the import path."""
    environment, path = dict(os.environ), list(sys.path)
    try:
        yield
    except BaseException:
        for added in os.environ.keys() - environment.keys():
            del os.environ[added]
        os.environ.update(environment)
        sys.path[:] = path
        time.tzset()
        raise


def lend(settings: _All, base: Path, region: str) -> None:
    """Set it for *settings*, which agree, and without `faults`; *base* is the folder of the config file."""
    for function in settings.values():
        own.lend(function.environment)
    for identity in set(map(Identity.of, settings.values())):  # one, or none
        own.lend(variables(identity, own.environment()))
    for variable, value in _lambda_variables(settings, base, region).items():
        os.environ.setdefault(variable, value)
    time.tzset()


def of_process(function: FunctionSettings) -> dict[str, str]:
    """What a process for *function* alone is started with: headrace's own, as who the function is.

    The file that says so is the service's: it serves every such process, and goes with the service, also where they are
    killed.
    """
    environ = own.environment()
    given = {**environ, **variables(Identity.of(function), environ)}
    return {name: value for name, value in given.items() if value is not None}


def _can_be_set(variable: str, value: str) -> bool:
    return bool(variable) and "=" not in variable and "\0" not in variable + value


def _lambda_variables(settings: _All, base: Path, region: str) -> dict[str, str]:
    """What Lambda's runtime sets. What differs by function is there only when there is one function."""
    folders = dict.fromkeys(str(folder_of(function, base)) for function in settings.values())
    common = {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": context.MEMORY,
        "AWS_LAMBDA_FUNCTION_VERSION": context.VERSION,
        "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
        "PYTHONPATH": os.pathsep.join(folders),
        "TZ": ":UTC",
    }
    if len(settings) != 1:
        return common
    [(name, function)] = settings.items()
    return common | {
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group(name),
        "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream(),
        "LAMBDA_TASK_ROOT": str(folder_of(function, base)),
        "_HANDLER": function.handler,
    }
