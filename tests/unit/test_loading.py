"""All functions of a config: loaded together, or refused together."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace.errors import ConfigError
from headrace.functions import close
from headrace.functions.loading import load_functions
from headrace.functionsettings import FunctionSettings


@pytest.fixture(autouse=True)
def _process_as_it_was(tmp_path):
    path, environment = list(sys.path), dict(os.environ)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()


def write(base, **modules):
    for name, text in modules.items():
        file = base.joinpath(*name.split("__")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def load(base, **functions):
    settings = {name: FunctionSettings(**options) for name, options in functions.items()}
    return load_functions(settings, base, "eu-central-1")


def refused(base, **functions):
    before = dict(os.environ), list(sys.path)
    with pytest.raises(ConfigError) as caught:
        load(base, **functions)
    assert (dict(os.environ), list(sys.path)) == before  # fails without the restoring
    return {fault.path: fault.message for fault in caught.value.faults}


OK = "def handler(event, context): return None"


def test_loads_in_the_order_of_the_config(tmp_path):
    write(tmp_path, src__load_b=OK, src__load_a=OK)
    functions = load(
        tmp_path, b={"handler": "load_b.handler", "path": "src"}, a={"handler": "load_a.handler", "path": "src"}
    )
    assert list(functions) == ["b", "a"]
    assert functions["a"].timeout == 3


def test_a_module_may_read_its_environment_when_it_is_imported(tmp_path):
    """Fails when the environment is set after the imports."""
    write(tmp_path, load_env="import os\nTABLE = os.environ['TABLE']\n" + OK)
    load(tmp_path, f={"handler": "load_env.handler", "environment": {"TABLE": "orders"}})
    assert sys.modules["load_env"].TABLE == os.environ["TABLE"] == "orders"


def test_every_fault_is_told_at_once(tmp_path):
    write(tmp_path, load_fine=OK, load_raises="import os\nos.environ['NOT_SET_ANYWHERE']")
    faults = refused(
        tmp_path,
        fine={"handler": "load_fine.handler"},
        raises={"handler": "load_raises.handler"},
        gone={"handler": "load_gone.handler"},
        folder={"handler": "load_fine.handler", "path": "nowhere"},
        name={"handler": "sys.exit"},
        variable={"handler": "load_fine.handler", "environment": {"A=B": "1"}},
        x={"handler": "load_fine.handler", "environment": {"TABLE": "secret-1"}},
        y={"handler": "load_raises.handler", "environment": {"TABLE": "secret-2"}},
        z={"handler": "load_fine.handler", "environment": {"TABLE": "secret-3", "C=D": "1"}},
    )
    assert set(faults) == {
        "functions.raises.handler",
        "functions.gone.handler",
        "functions.folder.path",
        "functions.name.handler",
        "functions.variable.environment.A=B",
        "functions.y.handler",
        "functions.z.environment.C=D",
    }
    assert faults["functions.raises.handler"].startswith("KeyError: 'NOT_SET_ANYWHERE'; at File ")
    assert "load_raises.py" in faults["functions.raises.handler"]
    assert "path must be the folder" in faults["functions.gone.handler"]
    assert faults["functions.y.handler"] == faults["functions.raises.handler"]
    assert "secret" not in str(faults)
    assert not any("\n" in message for message in faults.values())


def test_a_refusal_gives_a_variable_its_old_value_back(tmp_path, monkeypatch):
    monkeypatch.setenv("TABLE", "before")
    refused(tmp_path, f={"handler": "load_gone.handler", "environment": {"TABLE": "after"}})
    assert os.environ["TABLE"] == "before"


def test_functions_may_share_a_variable_of_one_value(tmp_path):
    write(tmp_path, load_same=OK)
    both = {"handler": "load_same.handler", "environment": {"TABLE": "orders"}}
    assert set(load(tmp_path, a=both, b=both)) == {"a", "b"}


async def test_functions_that_clash_are_not_imported_here(tmp_path):
    """Fails when they are imported all the same: code would run under another function's settings."""
    write(tmp_path, load_clash="import os\ndef handler(event, context): return os.environ['TABLE']")
    one = {"handler": "load_clash.handler", "environment": {"TABLE": "1"}}
    functions = load(tmp_path, a=one, b=one | {"environment": {"TABLE": "2"}}, c={"handler": "load_clash.handler"})
    assert {name: bool(function.apart) for name, function in functions.items()} == {"a": True, "b": True, "c": False}
    assert "TABLE" not in os.environ
    assert [(await functions[name].call({}, None)).value for name in "ab"] == ["1", "2"]
    await close(functions)


def test_one_file_by_two_paths_is_one_module(tmp_path):
    write(tmp_path, real__load_linked=OK)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    load(
        tmp_path,
        a={"handler": "load_linked.handler", "path": "real"},
        b={"handler": "load_linked.handler", "path": "link"},
        c={"handler": "load_linked.handler", "path": "./real/../real"},
    )


@pytest.mark.parametrize("count", [1, 2])
def test_lambdas_variables(tmp_path, count, monkeypatch):
    """Those that differ by function are there only when there is one function."""
    for name in ("TZ", "PYTHONPATH", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "set-already")
    write(tmp_path, src__load_v1=OK)
    one = {"handler": "load_v1.handler", "path": "src"}
    load(tmp_path, **{f"f{index}": one for index in range(count)})
    assert os.environ["AWS_REGION"] == "set-already"
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert os.environ["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert os.environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python{}.{}".format(*sys.version_info)
    assert Path(os.environ["LAMBDA_RUNTIME_DIR"]).is_dir()
    assert os.environ["PYTHONPATH"] == str(tmp_path / "src")
    assert os.environ["TZ"] == ":UTC"
    assert time.localtime().tm_gmtoff == 0
    single = {
        "AWS_LAMBDA_FUNCTION_NAME": "f0",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f0",
        "LAMBDA_TASK_ROOT": str(tmp_path / "src"),
        "_HANDLER": "load_v1.handler",
    }
    for name, value in single.items():
        if count == 1:
            assert os.environ[name] == value
        else:
            assert os.environ.get(name) != value
    assert ("AWS_LAMBDA_LOG_STREAM_NAME" in os.environ) == (count == 1)


def test_a_functions_variable_wins_over_the_process_and_over_lambdas(tmp_path, monkeypatch):
    monkeypatch.setenv("TABLE", "before")
    write(tmp_path, load_wins=OK)
    load(tmp_path, f={"handler": "load_wins.handler", "environment": {"TABLE": "mine", "TZ": "Europe/Berlin"}})
    assert (os.environ["TABLE"], os.environ["TZ"]) == ("mine", "Europe/Berlin")


async def test_the_stream_of_the_context_is_that_of_the_environment(tmp_path):
    write(tmp_path, load_stream="def handler(event, context): return context.log_stream_name")
    functions = load(tmp_path, f={"handler": "load_stream.handler"})
    assert (await functions["f"].call({}, None)).value == os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    await functions["f"].close()


def test_no_traceback_reaches_the_user(tmp_path):
    write(tmp_path, load_bad="1/0")
    code = f"""
from pathlib import Path
from headrace.errors import ConfigError
from headrace.functions.loading import load_functions
from headrace.functionsettings import FunctionSettings
try:
    load_functions({{"f": FunctionSettings(handler="load_bad.f")}}, Path({str(tmp_path)!r}), "us-east-1")
except ConfigError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert ran.stdout.startswith("functions.f.handler: ZeroDivisionError: division by zero; at File ")
    assert (ran.stdout.count("\n"), ran.stderr) == (1, "")
