"""The functions that share one process: found, given their environment, imported; every fault told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from headrace.errors import Fault, FunctionUnavailable
from headrace.functions import environment
from headrace.functions.function import Function
from headrace.functions.importing import Located, folder_of, locate
from headrace.functionsettings import FunctionSettings

_All: TypeAlias = Mapping[str, FunctionSettings]

_MENDS = {
    "Runtime.HandlerNotFound": "handler is MODULE.FUNCTION, and the module must define that function",
    "Runtime.ImportModuleError": "path must be the folder that holds the module, and what it imports be installed",
    "Runtime.MalformedHandlerName": "write MODULE.FUNCTION",
    "Runtime.BuiltInModuleConflict": "rename the module",
    "Runtime.ExitError": "a module must not end the process while it is imported",
}


def locate_all(settings: _All, base: Path, faults: list[Fault]) -> dict[str, Located]:
    """Where their handlers are, without running any code; *base* is the folder of the config file.

    One whose settings cannot be is not among them.
    """
    found: dict[str, Located] = {}
    for name, function in settings.items():
        faults += (wrong := list(environment.faults(name, function)))
        folder = folder_of(function, base)
        if not folder.is_dir():
            faults.append(Fault(f"functions.{name}.path", f"there is no folder {folder}; it is relative to the config"))
            continue
        try:
            located = locate(function, base)
        except FunctionUnavailable as error:
            faults.append(handler_fault(name, error, folder))
        else:
            found |= {} if wrong else {name: located}
    return found


def load_together(settings: _All, base: Path, region: str, faults: list[Fault]) -> dict[str, Function]:
    """Those of *settings*, which agree and were all located, that can be loaded into this process.

    The environment is set before the first import, because modules read it there. *region* goes into it, and into ARNs.
    """
    environment.lend(settings, base, region)
    functions = {}
    for name, one in settings.items():
        try:
            functions[name] = Function.load(name, one, base, region=region)
        except FunctionUnavailable as error:
            faults.append(handler_fault(name, error, folder_of(one, base)))
    return functions


def handler_fault(name: str, error: FunctionUnavailable, folder: Path) -> Fault:
    """One line: what Lambda says, where in the user's code, and the mend."""
    frames = [frame for frame in error.stack if str(folder) in frame] or error.stack
    at = f"at {frames[-1].splitlines()[0].strip()} while it was imported" if frames else ""
    return Fault(
        f"functions.{name}.handler", "; ".join(part for part in (str(error), at, _MENDS.get(error.type, "")) if part)
    )
