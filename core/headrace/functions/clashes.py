"""Which functions cannot share a process (design rule 15): it has one environment, and one module of a name."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

from headrace.credentials import Identity
from headrace.functions.identity import VARIABLES
from headrace.functions.importing import Located, module_file
from headrace.functionsettings import FunctionSettings

_Modules: TypeAlias = Mapping[str, Path]


def apart(settings: Mapping[str, FunctionSettings], located: Mapping[str, Located]) -> dict[str, str]:
    """Each function that needs a process of its own, and why: of two that clash, both do.

    Modules are compared before any code has run, so also those that nobody imports. Values of variables may be secrets,
    and are not shown.
    """
    modules = {folder: dict(_modules(folder)) for folder in {one.folder for one in located.values()}}
    reasons: dict[str, str] = {}
    for one, other in combinations(located, 2):
        what = (
            _variable(settings[one], settings[other])
            or _identity(settings[one], settings[other])
            or _module(located[one], located[other], modules)
        )
        if what:
            reasons.setdefault(one, f"{what} than functions.{other}")
            reasons.setdefault(other, f"{what} than functions.{one}")
    return reasons


def _variable(one: FunctionSettings, other: FunctionSettings) -> str:
    """One that both set, to different values. Who a function is, one says of itself alone."""
    mine, theirs = one.environment, other.environment
    both = {name for name in mine if name in theirs or name in VARIABLES} | theirs.keys() & set(VARIABLES)
    return next((f"another environment.{name}" for name in sorted(both) if mine.get(name) != theirs.get(name)), "")


def _identity(one: FunctionSettings, other: FunctionSettings) -> str:
    mine, theirs = Identity.of(one), Identity.of(other)
    words = {"role_arn": "another role_arn", "profile": "another profile", "credentials": "other credentials"}
    return next((said for name, said in words.items() if getattr(mine, name) != getattr(theirs, name)), "")


def _module(one: Located, other: Located, modules: Mapping[Path, _Modules]) -> str:
    mine, theirs = _seen(one, modules), _seen(other, modules)
    names = (f"another module {name}" for name in mine if name in theirs and mine[name] != theirs[name])
    return next(names, "")


def _seen(one: Located, modules: Mapping[Path, _Modules]) -> _Modules:
    """What its folder holds, and its own module, wherever that is."""
    return {**modules[one.folder], **({one.top: one.file} if one.file else {})}


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """By their top-level names: modules, packages, and folders of modules, which Python takes for packages, too."""
    names = {found.name for found in pkgutil.iter_modules([str(folder)])}
    names |= {one.parent.name for one in folder.glob("*/*.py") if one.parent.name.isidentifier()}
    for name in sorted(names):
        if file := module_file(name, folder):
            yield name, file
