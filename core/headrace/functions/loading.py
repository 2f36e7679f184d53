"""All functions of a config: loaded together, or refused together with every fault; and their one environment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations, permutations
from pathlib import Path
from typing import TypeAlias

from headrace import own
from headrace.errors import ConfigError, Fault, FunctionUnavailable
from headrace.functions import context
from headrace.functions.function import Function
from headrace.functions.identity import VARIABLES, Identity, variables
from headrace.functions.importing import Located, folder_of, loaded_files, locate, module_file
from headrace.settings import FunctionSettings

_All: TypeAlias = Mapping[str, FunctionSettings]

_MENDS = {
    "Runtime.HandlerNotFound": "handler is MODULE.FUNCTION, and the module must define that function",
    "Runtime.ImportModuleError": "path must be the folder that holds the module, and what it imports be installed",
    "Runtime.MalformedHandlerName": "write MODULE.FUNCTION",
    "Runtime.BuiltInModuleConflict": "rename the module",
    "Runtime.ExitError": "a module must not end the process while it is imported",
}
_APART = "or run them as two services"


def load_functions(settings: _All, base: Path, region: str) -> dict[str, Function]:
    """Load every function; *base* is the folder of the config file, *region* goes into ARNs and the environment.

    The environment is set before the first import, because modules read it there. Functions that clash with one another
    are not imported: their code would run under settings that are not theirs. When anything is refused, the environment
    and the import path are left as they were.

    Raises:
        ConfigError: all that is wrong with any of them.
    """
    faults: list[Fault] = []
    located = dict(_locate_all(settings, base, faults))
    clashing = {*_clashing_variables(settings, faults), *_clashing_modules(located, faults)}
    clashing |= set(_clashing_identities(settings, faults))
    functions = {}
    with _restored_on_error():
        _set_environment(settings, base, region)
        for name in [name for name in located if name not in clashing]:
            try:
                functions[name] = Function.load(name, settings[name], base, region=region)
            except FunctionUnavailable as error:
                faults.append(_handler_fault(name, error, located[name].folder))
        faults += _mixed_helpers({name: located[name] for name in functions})
        if faults:
            raise ConfigError(faults)
    return functions


def _locate_all(settings: _All, base: Path, faults: list[Fault]) -> Iterator[tuple[str, Located]]:
    for name, function in settings.items():
        folder = folder_of(function, base)
        if not folder.is_dir():
            faults.append(Fault(f"functions.{name}.path", f"there is no folder {folder}; it is relative to the config"))
            continue
        try:
            yield name, locate(function, base)
        except FunctionUnavailable as error:
            faults.append(_handler_fault(name, error, folder))


def _clashing_variables(settings: _All, faults: list[Fault]) -> Iterator[str]:
    """Design rule 15: one process has one environment. Values may be secrets, and are not shown."""
    first: dict[str, str] = {}
    for name, function in settings.items():
        for variable, value in function.environment.items():
            place = f"functions.{name}.environment.{variable}"
            other = first.setdefault(variable, name)
            if not _can_be_set(variable, value):
                faults.append(Fault(place, "cannot be an environment variable; its name must be free of ="))
                yield name
            elif settings[other].environment[variable] != value:
                why = f"differs from functions.{other}, and functions of one process share one environment"
                faults.append(Fault(place, f"{why}; use one value, {_APART}"))
                yield from (name, other)


def _clashing_identities(settings: _All, faults: list[Fault]) -> Iterator[str]:
    """Design rule 15: what a process finds of AWS's variables, all of its functions find."""
    if not settings:
        return
    other, *names = settings
    first = Identity.of(settings[other])
    for name in names:
        if (mine := Identity.of(settings[name])) != first:
            why = f"has {mine.words}, but functions.{other} has {first.words}"
            mend = "functions with different roles need services of their own; or write the same for both"
            faults.append(Fault(f"functions.{name}", f"{why}: {mend}"))
            yield from (name, other)
    for name, function in settings.items():
        if first != Identity(None, None) and (set_too := sorted(function.environment.keys() & set(VARIABLES))):
            why = f"says who the function is, as {first.words} does; write one of them"
            faults.append(Fault(f"functions.{name}.environment.{set_too[0]}", why))
            yield name


def _clashing_modules(located: Mapping[str, Located], faults: list[Fault]) -> Iterator[str]:
    """Design rule 15: a process holds one module of a name, and the second function would run the first one's code."""
    told = set()
    for (other, there), (name, here) in combinations(located.items(), 2):
        if here.top == there.top and here.file != there.file:
            if name not in told:
                told.add(name)
                why = f"module '{here.top}' is {here.file}, but {there.file} for functions.{other}"
                faults.append(Fault(f"functions.{name}.handler", f"{why}; rename one, {_APART}"))
            yield from (name, other)


def _mixed_helpers(located: Mapping[str, Located]) -> Iterator[Fault]:
    """The same for what handlers import: one has loaded a module of which another has its own in its folder."""
    loaded = loaded_files()
    for (name, here), (other, there) in permutations(located.items(), 2):
        if here.folder == there.folder:
            continue
        for top in [top for top, file in loaded.items() if file.is_relative_to(there.folder)]:
            own = module_file(top, here.folder)
            if own is not None and own != loaded[top] == module_file(top, there.folder):
                why = f"{own} is hidden by {loaded[top]}, which functions.{other} imports"
                yield Fault(f"functions.{name}.path", f"{why}; rename one, {_APART}")


def _handler_fault(name: str, error: FunctionUnavailable, folder: Path) -> Fault:
    """One line: what Lambda says, where in the user's code, and the mend."""
    frames = [frame for frame in error.stack if str(folder) in frame] or error.stack
    at = f"at {frames[-1].splitlines()[0].strip()} while it was imported" if frames else ""
    return Fault(
        f"functions.{name}.handler", "; ".join(part for part in (str(error), at, _MENDS.get(error.type, "")) if part)
    )


@contextmanager
def _restored_on_error() -> Iterator[None]:
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


def _set_environment(settings: _All, base: Path, region: str) -> None:
    for function in settings.values():
        own.lend({key: value for key, value in function.environment.items() if _can_be_set(key, value)})
    for identity in dict.fromkeys(map(Identity.of, settings.values())):  # one, unless they clash
        own.lend(variables(identity, own.environment()))
    for variable, value in _lambda_variables(settings, base, region).items():
        os.environ.setdefault(variable, value)
    time.tzset()


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
