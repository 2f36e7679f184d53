"""From a handler string to its callable, with Lambda's error types and texts."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from headrace.errors import FunctionUnavailable
from headrace.functions.invocation import Handler
from headrace.functions.payloads import exit_text, frames, text_of
from headrace.functionsettings import FunctionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where a handler is, before any of its code has run.

    Attributes:
        module: as the user wrote it, slashes and all: Lambda's texts quote it so.
        attribute: the name of the callable.
        folder: what goes on the import path.
        explicit: whether the user named the folder. If so it goes first, as Lambda's task root; the folder of the
            config file goes last, where it hides nothing.
        file: what the top-level module is loaded from; None when it has none (frozen, or made at run time).
    """

    module: str
    attribute: str
    folder: Path
    explicit: bool
    file: Path | None

    @property
    def name(self) -> str:
        return self.module.replace("/", ".")

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


def folder_of(settings: FunctionSettings, base: Path) -> Path:
    """The folder that goes on the import path: the user's, or that of the config file."""
    return (base / (settings.path or ".")).resolve()


def locate(settings: FunctionSettings, base: Path) -> Located:
    """Find the handler's top-level module: in its own folder, else where this process imports from.

    It never looks in another function's folder, unless that is on the import path already.

    Raises:
        FunctionUnavailable: malformed, built in, or not to be found.
    """
    module, dot, attribute = settings.handler.rpartition(".")
    if not dot:
        raise FunctionUnavailable(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{settings.handler}': not enough values to unpack (expected 2, got 1)",
        )
    name = module.replace("/", ".")
    if name.split(".")[0] in sys.builtin_module_names:
        raise FunctionUnavailable(
            "Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module"
        )
    folder = folder_of(settings, base)
    spec = _find(name.split(".")[0], folder)
    if spec is None:
        raise _not_importable(module, f"No module named '{name}'")
    return Located(
        module=module,
        attribute=attribute,
        folder=folder,
        explicit=settings.path is not None,
        file=_file(spec),
    )


def import_handler(located: Located) -> Handler:
    """Import the module and take the callable out of it. Its folder stays on the import path, for later imports.

    Raises:
        FunctionUnavailable: whatever went wrong, but for Ctrl-C.
    """
    _extend_path(located)
    _refuse_impostor(located)
    module = _import(located)
    missing = f"Handler '{located.attribute}' missing on module '{located.module}'"
    try:
        handler: Handler = getattr(module, located.attribute)
    except AttributeError:
        raise FunctionUnavailable("Runtime.HandlerNotFound", missing) from None
    if not callable(handler):
        raise FunctionUnavailable("Runtime.HandlerNotFound", f"{missing}: what is there is not callable")
    return handler


def module_file(top: str, folder: Path) -> Path | None:
    """The file that a top-level module has in *folder*; None when it is not there."""
    spec = PathFinder.find_spec(top, [str(folder)])
    return None if spec is None else _file(spec)


def loaded_files() -> dict[str, Path]:
    """Every top-level module that this process has loaded from a file, by name."""
    specs = {name: getattr(module, "__spec__", None) for name, module in list(sys.modules.items()) if "." not in name}
    found = {name: _file(spec) for name, spec in specs.items() if spec is not None}
    return {name: file for name, file in found.items() if file is not None}


def _find(top: str, folder: Path) -> ModuleSpec | None:
    importlib.invalidate_caches()
    try:
        return PathFinder.find_spec(top, [str(folder)]) or importlib.util.find_spec(top)
    except (ImportError, ValueError):  # nothing of that name can be imported: "", "__main__"
        return None


def _file(spec: ModuleSpec) -> Path | None:
    """The file of a module or package; the first folder of a package without a file of its own."""
    if spec.has_location and spec.origin:
        return Path(spec.origin).resolve()
    portions = list(spec.submodule_search_locations or ())
    return Path(portions[0]).resolve() if portions else None


def _extend_path(located: Located) -> None:
    folder = str(located.folder)
    if folder not in sys.path:
        sys.path.insert(0 if located.explicit else len(sys.path), folder)


def _refuse_impostor(located: Located) -> None:
    """A module that is loaded under this name already, from elsewhere, would be taken for the user's."""
    spec = getattr(sys.modules.get(located.top), "__spec__", None)
    loaded = _file(spec) if spec is not None else None
    if loaded is not None and located.file is not None and loaded != located.file:
        raise _not_importable(located.module, f"the name '{located.top}' is taken by {loaded}; rename yours")


def _import(located: Located) -> ModuleType:
    try:
        return importlib.import_module(located.name)
    except ImportError as error:
        raise _not_importable(located.module, text_of(error)) from None
    except SyntaxError as error:
        raise FunctionUnavailable(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{located.module}': {text_of(error)}",
            [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'],
        ) from None
    except SystemExit as error:
        raise FunctionUnavailable("Runtime.ExitError", exit_text(error), frames(error)) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a module may raise anything
        raise FunctionUnavailable(type(error).__name__, text_of(error), frames(error)) from None


def _not_importable(module: str, why: str) -> FunctionUnavailable:
    return FunctionUnavailable("Runtime.ImportModuleError", f"Unable to import module '{module}': {why}")
