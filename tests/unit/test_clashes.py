"""Which functions cannot share a process, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from headrace.functions.clashes import apart
from headrace.functions.importing import locate
from headrace.functionsettings import FunctionSettings

ROLE = "arn:aws:iam::123456789012:role/worker"
OTHER = "arn:aws:iam::123456789012:role/other"


def write(base: Path, *files: str) -> None:
    for name in files:
        file = base / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def found(base: Path, **functions: dict[str, Any]) -> dict[str, str]:
    settings = {name: FunctionSettings(**{"handler": "app.handler", **one}) for name, one in functions.items()}
    return apart(settings, {name: locate(one, base) for name, one in settings.items()})


def test_functions_that_agree_share_it(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "src/other.py")
    same = {"environment": {"TABLE": "orders"}, "role_arn": ROLE}
    assert not found(tmp_path, a=same, b=same, c={**same, "handler": "other.handler", "path": "src"})


def test_a_variable_of_two_values(tmp_path: Path) -> None:
    """Both get one, whichever comes first, and no value is shown. Mutations: the first one stays; all but the last."""
    write(tmp_path, "app.py")
    secret = {name: {"environment": {"TABLE": f"secret-{name}", "LEVEL": "info"}} for name in "ab"}
    assert found(tmp_path, **secret, c={"environment": {"LEVEL": "info"}}) == {
        "a": "another environment.TABLE than functions.b",
        "b": "another environment.TABLE than functions.a",
    }


def test_another_role_or_profile(tmp_path: Path) -> None:
    """Also than none. Mutation: what has neither takes the other's."""
    write(tmp_path, "app.py")
    assert found(tmp_path, a={"role_arn": ROLE}, b={"role_arn": OTHER}, c={}) == {
        "a": "another role_arn than functions.b",
        "b": "another role_arn than functions.a",
        "c": "another role_arn than functions.a",
    }
    assert set(found(tmp_path, a={"profile": "p"}, b={"profile": "q"}).values()) == {
        "another profile than functions.a",
        "another profile than functions.b",
    }
    keys = {"access_key_id": SecretStr("a"), "secret_access_key": SecretStr("b")}
    assert found(tmp_path, a={"credentials": keys}, b={})["b"] == "other credentials than functions.a"
    assert not found(tmp_path, a={"credentials": keys}, b={"credentials": keys})


def test_keys_of_one_function_are_not_anothers(tmp_path: Path) -> None:
    """Nor are they those of one that has none. Mutation: only variables that both set are compared."""
    write(tmp_path, "app.py")
    keys = {"environment": {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "TABLE": "orders"}}
    assert found(tmp_path, a=keys, b={}) == {
        "a": "another environment.AWS_ACCESS_KEY_ID than functions.b",
        "b": "another environment.AWS_ACCESS_KEY_ID than functions.a",
    }
    assert not found(tmp_path, a=keys, b=keys)


def test_one_module_name_under_two_paths(tmp_path: Path) -> None:
    """Without rule 15 the second function would run the first one's code."""
    write(tmp_path, "one/app.py", "two/app/__init__.py", "three/other.py")
    functions = {
        "a": {"path": "one"},
        "b": {"path": "two"},
        "c": {"path": "three", "handler": "other.handler"},
    }
    assert found(tmp_path, **functions) == {
        "a": "another module app than functions.b",
        "b": "another module app than functions.a",
    }


def test_a_helper_of_one_name_under_two_paths(tmp_path: Path) -> None:
    """Also one that is a folder of modules. Mutation: only the handlers' own modules are compared."""
    for helper in ("helper.py", "helper/__init__.py", "helper/part.py"):
        base = tmp_path / helper.replace("/", "-")
        write(
            base,
            "one/x.py",
            f"one/{helper}",
            "two/y.py",
            f"two/{helper}",
            "two/not-a-module/z.py",
            "one/not-a-module/z.py",
        )
        functions = {"a": {"path": "one", "handler": "x.handler"}, "b": {"path": "two", "handler": "y.handler"}}
        assert found(base, **functions)["b"] == "another module helper than functions.a"


def test_a_module_that_hides_anothers_handler(tmp_path: Path) -> None:
    """One of the folder of a, for b, whose own lies elsewhere on the import path."""
    write(tmp_path, "one/app.py", "one/yaml.py", "two/other.py")
    functions = {"a": {"path": "one"}, "b": {"path": "two", "handler": "yaml.safe_load"}}
    assert found(tmp_path, **functions) == {
        "a": "another module yaml than functions.b",
        "b": "another module yaml than functions.a",
    }


def test_one_file_by_two_paths_is_one_module(tmp_path: Path) -> None:
    write(tmp_path, "real/app.py", "one/app_one.py", "two/app_two.py", "common.py")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("one", "two"):
        (tmp_path / name / "common.py").symlink_to(tmp_path / "common.py")
    functions = {
        "a": {"path": "real"},
        "b": {"path": "link"},
        "c": {"path": "one", "handler": "app_one.handler"},
        "d": {"path": "two", "handler": "app_two.handler"},
    }
    assert not found(tmp_path, **functions)
