"""From a handler string to its callable, with Lambda's texts."""

import sys

import pytest
import yaml  # noqa: F401 - the name that is taken

from headrace.errors import FunctionUnavailable
from headrace.functions import Function
from headrace.functionsettings import FunctionSettings


@pytest.fixture(autouse=True)
def _process_as_it_was(tmp_path):
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder, **modules):
    for name, text in modules.items():
        file = folder.joinpath(*name.split("__")).with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def load(base, handler, path=None, **settings):
    # Not validated: the config refuses some handler strings before we see them.
    made = FunctionSettings.model_construct(handler=handler, path=path, **settings)
    return Function.load("f", made, base, region="eu-central-1")


def refused(base, handler, path=None):
    with pytest.raises(FunctionUnavailable) as caught:
        load(base, handler, path)
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None  # nobody sees the traceback of our machinery
    return error.type, str(error).removeprefix(f"{error.type}: "), error.stack


OK = "def handler(event, context): return __name__"


@pytest.mark.parametrize("handler", ["impkg/mod.handler", "impkg.mod.handler"])
async def test_slashes_are_dots(tmp_path, handler):
    write(tmp_path, src__impkg__mod=OK)
    function = load(tmp_path, handler, "./src", timeout=7)
    assert (function.name, function.timeout) == ("f", 7)
    assert (await function.call({}, None)).value == "impkg.mod"
    await function.close()


def test_a_named_folder_goes_first_and_the_configs_own_last(tmp_path):
    """First, as Lambda's task root; the config's folder last, so that what lies there hides nothing installed."""
    write(tmp_path, src__imp_first=OK, imp_last=OK)
    load(tmp_path, "imp_first.handler", "src")
    load(tmp_path, "imp_first.handler", "src")
    load(tmp_path, "imp_last.handler")
    assert sys.path[0] == str(tmp_path / "src")
    assert sys.path[-1] == str(tmp_path)
    assert sys.path.count(str(tmp_path / "src")) == 1


def test_an_absolute_folder(tmp_path):
    write(tmp_path, src__imp_abs=OK)
    load(tmp_path / "elsewhere", "imp_abs.handler", str(tmp_path / "src"))


def test_a_handler_that_is_installed(tmp_path):
    load(tmp_path, "json.dumps")


@pytest.mark.parametrize(
    ("handler", "type_", "message"),
    [
        ("imp.missing", "Runtime.HandlerNotFound", "Handler 'missing' missing on module 'imp'"),
        (
            "imp.number",
            "Runtime.HandlerNotFound",
            "Handler 'number' missing on module 'imp': what is there is not callable",
        ),
        ("nowhere.f", "Runtime.ImportModuleError", "Unable to import module 'nowhere': No module named 'nowhere'"),
        (
            "a/nowhere.f",
            "Runtime.ImportModuleError",
            "Unable to import module 'a/nowhere': No module named 'a.nowhere'",
        ),
        (".f", "Runtime.ImportModuleError", "Unable to import module '': No module named ''"),
        ("needs.f", "Runtime.ImportModuleError", "Unable to import module 'needs': No module named 'not_installed'"),
        ("handler", "Runtime.MalformedHandlerName", "Bad handler 'handler': not enough values to unpack"),
        ("sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys as a handler module"),
        ("bad.f", "Runtime.UserCodeSyntaxError", "Syntax error in module 'bad': "),
        ("quits.f", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("raises.f", "KeyError", "'TABLE'"),
        ("base.f", "BaseException", "odd"),
    ],
)
def test_every_way_to_fail_has_lambdas_type_and_text(tmp_path, handler, type_, message):
    write(
        tmp_path,
        imp="number = 1",
        needs="import not_installed",
        bad="def f(:\n  pass",
        quits="import sys; sys.exit(3)",
        raises="import os\nos.environ.pop('TABLE')",
        base="raise BaseException('odd')",
    )
    found_type, found, _ = refused(tmp_path, handler, ".")
    assert found_type == type_
    assert found.startswith(message)


def test_the_stack_of_an_import_begins_in_the_users_code(tmp_path):
    write(tmp_path, imp_stack="import imp_stack_inner", imp_stack_inner="raise ValueError('x')")
    *_, stack = refused(tmp_path, "imp_stack.f", ".")
    assert stack[0] == f'  File "{tmp_path}/imp_stack.py", line 1, in <module>\n    import imp_stack_inner\n'
    assert stack[-1].startswith(f'  File "{tmp_path}/imp_stack_inner.py"')


def test_the_place_of_a_syntax_error_is_told(tmp_path):
    write(tmp_path, imp_syntax="x = 1\ndef f(:\n")
    *_, stack = refused(tmp_path, "imp_syntax.f", ".")
    assert stack == (f'  File "{tmp_path}/imp_syntax.py" Line 2\n    def f(:\n',)


def test_a_loaded_module_of_the_same_name_is_not_taken_for_the_users(tmp_path):
    """Fails without the check: yaml's attributes would be looked through for the handler."""
    write(tmp_path, yaml=OK)
    _, message, _ = refused(tmp_path, "yaml.handler", ".")
    assert "the name 'yaml' is taken by" in message
    assert message.endswith("rename yours")


def test_ctrl_c_during_an_import_is_not_the_modules_fault(tmp_path):
    write(tmp_path, imp_ctrl_c="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, "imp_ctrl_c.f", ".")
