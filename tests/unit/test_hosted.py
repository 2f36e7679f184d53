"""A function in a process of its own: called as one in this process is, and what its death costs whom."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.clock import SYSTEM
from headrace.errors import ConfigError
from headrace.functions import Function, hosted
from headrace.functions.context import Delivery
from headrace.functions.loading import load_functions
from headrace.functions.marshal import NotJson
from headrace.functionsettings import FunctionSettings
from headrace.model import Answer

DELIVERY = Delivery("orders", "queue", 3, 2)

HANDLERS = """
import asyncio, atexit, ctypes, os, re, subprocess, sys, threading, time
from pathlib import Path

if Path("refuses").exists():
    raise ValueError("not today")
if Path("hangs").exists():
    time.sleep(60)
if Path("slow").exists():
    time.sleep(3)

STARTED = time.time()

def seen(event, context):
    return {"WHO": os.environ["WHO"], "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"], "handler": os.environ["_HANDLER"],
            "context": [context.function_name, context.invoked_function_arn, context.aws_request_id],
            "delivery": [context.headrace.mapping, context.headrace.lane, context.headrace.epoch,
                         context.headrace.attempt],
            "left": context.get_remaining_time_in_millis(), "pid": os.getpid(), "event": event}

def back(event, context):
    return event

def raises(event, context):
    raise KeyError("order")

def body(event, context):
    return b"no json"

def opaque(event, context):
    return object()

def waits(event, context):
    Path(event["begun"]).touch()
    while not Path(event["until"]).exists():
        time.sleep(0.01)
    return "waited"

async def cancelled(event, context):
    Path("begun").touch()
    try:
        await asyncio.sleep(60)
    finally:
        Path("cancelled").touch()

def dies(event, context):
    if "begun" in event:
        with open(event["begun"], "a") as file:
            file.write("x")
    if "until" in event:
        while not Path(event["until"]).exists():
            time.sleep(0.01)
    if event.get("status") is not None:
        os._exit(event["status"])
    if event.get("signal"):
        os.kill(os.getpid(), event["signal"])
        time.sleep(60)
    return os.getpid()

def prints(event, context):
    print("to", "output", end="")
    print("to errors", file=sys.stderr)

def deep(event, context):
    value = []
    for _ in range(event):
        value = [value]
    return value

def holds(event, context):
    if event:
        re.match("(a+)+$", "a" * 60 + "b")  # in C code that lets no other thread run
    return os.getpid()

async def blocks(event, context):
    if event:
        time.sleep(60)
    return os.getpid()

def leaves(event, context):
    fork = {"python": os.fork, "c": lambda: ctypes.PyDLL(None).fork()}.get(event["how"])
    if fork is None:
        subprocess.Popen(["sleep", str(event["seconds"])], close_fds=False)
    elif fork() == 0:
        time.sleep(event["seconds"])
        os._exit(0)
    os._exit(5)

def loses_output(event, context):
    sys.stdout = None if event else sys.stdout.close()
    return "said"

async def stops_the_loop(event, context):
    with open(event["begun"], "a") as file:
        file.write("x")
    while not Path(event["until"]).exists():
        await asyncio.sleep(0.01)
    if event["stop"]:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(60)
    return "went on"

def babbles(event, context):
    for descriptor in range(3, 30):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                os.write(descriptor, bytes(7) + b"\\x04none")
        except OSError:
            pass
    time.sleep(60)

def who(event, context):
    if event:
        os._exit(3)
    return {name: os.environ.get(name) for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_ACCESS_KEY_ID")}

def last(event, context):
    atexit.register(Path("last").touch)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(HANDLERS)
    return tmp_path


Make = Callable[..., Awaitable[Function]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Loads a function beside another that it cannot share a process with, and which is not needed."""
    made: list[Function] = []

    async def one(handler: str, *, timeout: float = 30, role_arn: str | None = None) -> Function:
        settings = {
            name: FunctionSettings(
                handler=f"app.{handler}", path=name, environment={"WHO": name}, timeout=timeout, role_arn=role
            )
            for name, role in (("one", role_arn), ("other", None))
        }
        functions = load_functions(settings, Path.cwd(), "eu-central-1")
        made.extend(functions.values())
        await functions["other"].close()
        return functions["one"]

    yield one
    for function in made:
        await function.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


def failed(answer: Answer) -> str:
    assert answer.failure is not None
    return str(answer.failure)


async def test_it_is_called_as_in_this_process(make: Make) -> None:
    """Mutations: the environment of headrace, or of the other function; a context that is not passed on."""
    function = await make("seen")
    answer = await function.call({"a": [1, 2.5, None]}, DELIVERY, request_id="r-1")
    value: Any = answer.value
    assert value.pop("pid") != os.getpid()
    assert 0 < value.pop("left") <= 30_000
    assert (answer.request_id, answer.failure, answer.lingering, answer.lapsed) == ("r-1", None, None, False)
    assert value == {
        "WHO": "one",
        "name": "one",
        "handler": "app.seen",
        "context": ["one", "arn:aws:lambda:eu-central-1:000000000000:function:one", "r-1"],
        "delivery": ["orders", "queue", 3, 2],
        "event": {"a": [1, 2.5, None]},
    }
    assert "WHO" not in os.environ
    assert "app" not in sys.modules
    assert function.version.startswith("sha256:")


async def test_whatever_a_handler_comes_to(make: Make) -> None:
    raised = await (await make("raises")).call({}, DELIVERY, request_id="r-1")
    assert raised.failure is not None
    assert raised.failure.payload is not None
    assert list(raised.failure.payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (raised.failure.type, raised.failure.message) == ("KeyError", "'order'")
    assert "in raises" in raised.failure.stack[0]
    said = (await (await make("body")).call({}, DELIVERY)).value
    assert isinstance(said, NotJson)
    assert failed(await (await make("opaque")).call({}, DELIVERY)).startswith("Runtime.MarshalError: Unable to marshal")


async def test_calls_run_side_by_side(make: Make, folder: Path) -> None:
    """Mutation: one call at a time."""
    function = await make("waits")
    calls = [
        asyncio.create_task(function.call({"begun": f"begun{n}", "until": "go"}, DELIVERY, request_id=str(n)))
        for n in range(3)
    ]
    await until(lambda: all((folder / f"begun{n}").exists() for n in range(3)))
    (folder / "go").touch()
    assert [(answer.request_id, answer.value) for answer in await asyncio.gather(*calls)] == [
        (str(n), "waited") for n in range(3)
    ]


async def test_one_that_timed_out_lingers_until_its_thread_ends(make: Make, folder: Path) -> None:
    """Mutations: no word of the end; the end told with the answer."""
    function = await make("waits", timeout=0.5)
    answer = await function.call({"begun": "begun", "until": "go"}, DELIVERY)
    assert failed(answer).startswith("Sandbox.Timedout")
    assert answer.lingering is not None
    assert function.still_runs("orders", "queue")
    (folder / "go").touch()
    async with asyncio.timeout(10):
        await answer.lingering
    await until(lambda: not function.still_runs("orders", "queue"))


async def test_cancelling_a_call_cancels_an_async_handler(make: Make, folder: Path) -> None:
    """Mutations: a word that is not sent; one that comes before the call."""
    function = await make("cancelled")
    call = asyncio.create_task(function.call({}, DELIVERY))
    await until((folder / "begun").exists)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until((folder / "cancelled").exists)
    await until(lambda: not function.still_runs("orders", "queue"))


async def test_one_cancelled_at_once_is_not_forgotten(make: Make) -> None:
    function = await make("cancelled")
    assert (await function.call({}, DELIVERY, SYSTEM.boot)).lapsed  # it is open
    call = asyncio.create_task(function.call({}, DELIVERY))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait((call,))
    await until(lambda: not function.still_runs("orders", "queue"))


async def test_a_plain_handler_goes_on_when_its_call_is_cancelled(make: Make, folder: Path) -> None:
    function = await make("waits")
    call = asyncio.create_task(function.call({"begun": "begun", "until": "go"}, DELIVERY))
    await until((folder / "begun").exists)
    call.cancel()
    await asyncio.wait((call,))
    assert function.still_runs("orders", "queue")
    assert not function.still_runs("orders", "another")
    (folder / "go").touch()
    await until(lambda: not function.still_runs("orders", "queue"))


async def test_it_is_not_begun_too_late(make: Make, folder: Path) -> None:
    """Mutation: what may be begun is looked up here only."""
    function = await make("waits")
    answer = await function.call({"begun": "begun", "until": "go"}, DELIVERY, SYSTEM.boot)
    assert (answer.lapsed, answer.failure) == (True, None)
    assert not (folder / "begun").exists()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"status": 3}, "Runtime exited with error: exit status 3"),
        ({"status": 0}, "Runtime exited without providing a reason"),
        ({"signal": signal.SIGKILL}, "Runtime exited with error: signal: killed"),
        ({"signal": signal.SIGSEGV}, "Runtime exited with error: signal: segmentation fault"),
    ],
)
async def test_a_call_that_the_process_dies_of_has_failed(make: Make, how: dict[str, int], said: str) -> None:
    """And the next one has another process. Mutations: a call that waits for ever; a process that is not started."""
    function = await make("dies")
    first = (await function.call({}, DELIVERY)).value
    assert (
        failed(await function.call(how, DELIVERY, request_id="r-1"))
        == f"Runtime.ExitError: RequestId: r-1 Error: {said}"
    )
    assert (await function.call({}, DELIVERY)).value != first


async def test_only_the_call_that_is_to_blame_fails(make: Make, folder: Path) -> None:
    """Three at work when one kills the process: each is begun again, alone; calls that come meanwhile wait.

    Mutations: all of them have failed; they are begun again together, and all but the last one fail.
    """
    function = await make("dies")
    innocent = [asyncio.create_task(function.call({"begun": f"begun{n}", "until": "go"}, DELIVERY)) for n in range(2)]
    await until(lambda: all((folder / f"begun{n}").exists() for n in range(2)))
    killer = asyncio.create_task(function.call({"begun": "killer", "signal": signal.SIGKILL}, DELIVERY))
    await until((folder / "killer").exists)
    late = asyncio.create_task(function.call({}, DELIVERY))
    await until(lambda: (folder / "begun0").read_text() == "xx")  # alone now, and held
    assert (folder / "begun1").read_text() != "xx"
    (folder / "go").touch()
    assert "signal: killed" in failed(await killer)
    for call in [*innocent, late]:
        assert isinstance((await call).value, int)
    assert (folder / "killer").read_text() == "xx"


@pytest.mark.parametrize("when", ["before its first call", "after"])
async def test_one_that_died_with_nothing_to_do_costs_no_call(make: Make, when: str) -> None:
    """Mutation: the next call is taken for the cause."""
    function = await make("dies")
    process = function._runner._process  # type: ignore[attr-defined]
    if when == "after":
        await function.call({}, DELIVERY)
        os.kill(process.pid, signal.SIGKILL)
        await until(lambda: process.gone)
    else:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert isinstance((await function.call({}, DELIVERY)).value, int)


async def test_what_cannot_be_loaded_again_says_why_and_is_tried_anew(make: Make, folder: Path) -> None:
    """Mutations: a process that is given up for good; a traceback."""
    function = await make("dies")
    (folder / "refuses").touch()
    assert "exit status 3" in failed(await function.call({"status": 3}, DELIVERY))
    for _ in range(2):
        said = failed(await function.call({}, DELIVERY, request_id="r-1"))
        assert said.startswith("Runtime.ExitError: RequestId: r-1 Error: functions.one.handler: ValueError: not today")
    (folder / "refuses").unlink()
    assert isinstance((await function.call({}, DELIVERY)).value, int)


async def test_one_that_hangs_while_it_is_loaded_again_is_killed(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosted, "INIT", 0.5)
    function = await make("dies", timeout=3)
    (folder / "hangs").touch()
    assert "exit status 3" in failed(await function.call({"status": 3}, DELIVERY))
    assert "did not load the handler within " in failed(await function.call({}, DELIVERY))
    monkeypatch.setattr(hosted, "INIT", 30)
    (folder / "hangs").unlink()
    assert isinstance((await function.call({}, DELIVERY)).value, int)


@pytest.mark.parametrize("how", ["python", "program", "c"])
async def test_a_death_is_seen_though_its_child_lives(make: Make, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """What the handler starts has no hold of our line; but for a fork in C, and then it is looked who is there.

    Mutations: a line that children inherit, or keep after a fork; the end of the line is all that is waited for.
    """
    if how == "c":
        monkeypatch.setattr(hosted, "SLACK", 0.2)
    function = await make("leaves", timeout=0.5 if how == "c" else 300)
    async with asyncio.timeout(30):
        assert "exit status 5" in failed(await function.call({"how": how, "seconds": 40}, DELIVERY))
        if how != "c":  # its output is held, and waited for, but the loop goes on
            assert "exit status 5" in failed(await function.call({"how": how, "seconds": 40}, DELIVERY))


@pytest.mark.parametrize("event", [{}, {"none": True}])
async def test_what_a_handler_does_to_its_output_costs_no_answer(make: Make, event: dict[str, bool]) -> None:
    """Mutation: an answer that waits for a flush of a stream that is closed, or none."""
    function = await make("loses_output", timeout=300)
    async with asyncio.timeout(30):
        assert (await function.call(event, DELIVERY)).value == "said"


async def test_a_handler_that_stops_the_loop_is_to_blame_for_that(
    make: Make, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mutation: what is cancelled on the way out is told as ended, and waited for."""
    function = await make("stops_the_loop", timeout=300)
    calls = [
        asyncio.create_task(function.call({"begun": f"begun{stop:d}", "until": "go", "stop": stop}, DELIVERY))
        for stop in (False, True)
    ]
    await until(lambda: all((folder / f"begun{number}").exists() for number in range(2)))
    (folder / "go").touch()
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*calls)
    assert answers[0].value == "went on"
    assert "exit status 1" in failed(answers[1])
    await function.close()
    said = capsys.readouterr().err
    assert "function one: its event loop was ended" in said
    assert "Traceback" not in said


async def test_what_is_no_message_ends_the_process(make: Make) -> None:
    """Mutation: a reader that dies of it, and calls that wait for ever."""
    function = await make("babbles", timeout=300)
    async with asyncio.timeout(30):
        assert "signal: killed" in failed(await function.call({}, DELIVERY))


async def test_one_that_died_a_moment_ago_costs_no_call(make: Make) -> None:
    """The loop has not seen it yet. Mutation: the end of the line alone says that it takes no calls."""
    function = await make("dies")
    process = function._runner._process  # type: ignore[attr-defined]
    first = (await function.call({}, DELIVERY)).value
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert (await function.call({}, DELIVERY)).value not in {None, first}


async def test_what_took_long_to_load_may_take_long_again(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutation: only Lambda's ten seconds."""
    (folder / "slow").touch()
    function = await make("dies", timeout=2)
    monkeypatch.setattr(hosted, "INIT", 0.1)
    assert "exit status 3" in failed(await function.call({"status": 3}, DELIVERY))
    assert isinstance((await function.call({}, DELIVERY)).value, int)


@pytest.mark.parametrize("handler", ["holds", "blocks"])
async def test_a_process_that_keeps_no_time_is_ended(make: Make, monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    """Its call timed out, and the next one has another process. Mutation: every call to come times out."""
    monkeypatch.setattr(hosted, "SLACK", 0.5)
    function = await make(handler, timeout=3)
    first = (await function.call({}, DELIVERY)).value
    answer = await function.call({"now": True}, DELIVERY)
    assert failed(answer).startswith("Sandbox.Timedout")
    assert answer.lingering is not None
    async with asyncio.timeout(10):
        await answer.lingering
    assert (await function.call({}, DELIVERY)).value not in {None, first}


async def test_what_it_prints_is_printed_here(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing of it is lost when it is killed. Mutation: what has no newline is not sent before the answer."""
    function = await make("prints")
    await function.call({}, DELIVERY)
    os.kill(function._runner._process.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    await function.close()
    assert capsys.readouterr() == ("to output", "to errors\n")


async def test_who_it_is_in_aws_is_one_file_of_the_services(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys lie in it: a process that is killed must not leave it behind. Mutation: each process writes its own."""
    (tmp_path / "private").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "private"))
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    function = await make("who", role_arn="arn:aws:iam::123456789012:role/one")
    said: Any = (await function.call({}, DELIVERY)).value
    assert "exit status 3" in failed(await function.call({"die": True}, DELIVERY))
    assert (await function.call({}, DELIVERY)).value == said
    assert (said["AWS_PROFILE"], said["AWS_ACCESS_KEY_ID"]) == ("headrace-functions", None)
    assert "aws_secret_access_key = s" in Path(said["AWS_CONFIG_FILE"]).read_text()
    assert [str(file) for file in (tmp_path / "private").rglob("config")] == [said["AWS_CONFIG_FILE"]]
    assert os.environ["AWS_ACCESS_KEY_ID"] == "a"


@pytest.mark.parametrize("depth", [50, 100_000])
async def test_what_is_nested_too_deeply_fails_its_own_call_only(make: Make, depth: int) -> None:
    """There and back. Mutation: an error that ends the reading of answers."""
    function = await make("back")
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    answer = await function.call(value, DELIVERY)
    assert (answer.failure is None) == (depth == 50)
    assert (await function.call({"a": 1}, DELIVERY)).value == {"a": 1}
    built = await make("deep")
    assert ((await built.call(depth, DELIVERY)).failure is None) == (depth == 50)


async def test_six_megabytes_go_there_and_come_back(make: Make) -> None:
    function = await make("back")
    event = {"body": "x" * 6_000_000}
    answers = await asyncio.gather(*(function.call({**event, "n": n}, DELIVERY) for n in range(3)))
    assert [answer.value for answer in answers] == [{**event, "n": n} for n in range(3)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_all_processes_lets_calls_finish(make: Make, folder: Path, number: signal.Signals) -> None:
    """As systemd and terminals send them: the service drains. Mutation: no handler of the signal."""
    function = await make("waits")
    call = asyncio.create_task(function.call({"begun": "begun", "until": "go"}, DELIVERY))
    await until((folder / "begun").exists)
    os.kill(function._runner._process.pid, number)  # type: ignore[attr-defined]
    await asyncio.sleep(0.1)
    (folder / "go").touch()
    assert (await call).value == "waited"


async def test_a_close_lets_an_idle_one_end_in_order(make: Make, folder: Path) -> None:
    function = await make("last")
    await function.call({}, DELIVERY)
    await function.close()
    await function.close()
    assert (folder / "last").exists()
    with pytest.raises(RuntimeError, match="function one is closed"):
        await function.call({}, DELIVERY)


async def test_a_close_ends_what_is_under_way(make: Make, folder: Path) -> None:
    """Mutation: a close that waits for the handler."""
    function = await make("waits")
    call = asyncio.create_task(function.call({"begun": "begun", "until": "never"}, DELIVERY))
    await until((folder / "begun").exists)
    process = function._runner._process  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        await function.close()
    assert process.status is not None
    await asyncio.wait((call,))


async def test_a_close_is_no_death_that_calls_are_begun_again_after(make: Make, folder: Path) -> None:
    """Mutation: a process that is started when the function is closed."""
    function = await make("dies")
    calls = [asyncio.create_task(function.call({"begun": f"begun{n}", "until": "never"}, DELIVERY)) for n in range(2)]
    await until(lambda: all((folder / f"begun{n}").exists() for n in range(2)))
    await function.close()
    async with asyncio.timeout(30):
        assert ["the function is closed" in failed(await call) for call in calls] == [True, True]
    assert [(folder / f"begun{n}").read_text() for n in range(2)] == ["x", "x"]


def test_where_there_is_no_thread_left_it_is_refused(folder: Path) -> None:
    """A thread reads what the process prints. Mutation: a traceback, and a process that is left."""
    settings = {name: FunctionSettings(handler="app.last", path=name) for name in ("one", "other")}
    before = threading.stack_size(2**46)
    try:
        with pytest.raises(ConfigError, match=r"functions\.one: needs a process of its own, and none can be started"):
            load_functions(settings, folder, "eu-central-1")
    finally:
        threading.stack_size(before)
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)


def test_faults_are_told_together_and_nothing_is_left(folder: Path) -> None:
    """Mutation: a process that outlives its refusal."""
    (folder / "one" / "app.py").write_text("import os; os._exit(4)")
    (folder / "other" / "app.py").write_text("1/0")
    settings = {
        name: FunctionSettings(handler="app.back", path=path, environment={"WHO": name})
        for name, path in (("a", "one"), ("b", "other"), ("c", "gone"))
    }
    with pytest.raises(ConfigError) as caught:
        load_functions(settings, folder, "eu-central-1")
    said = {fault.path: fault.message for fault in caught.value.faults}
    assert set(said) == {"functions.c.path", "functions.a.handler", "functions.b.handler"}
    assert said["functions.a.handler"] == (
        "Runtime.ExitError: Runtime exited with error: exit status 4; a module must not end the process while it is "
        "imported"
    )
    assert said["functions.b.handler"].startswith("ZeroDivisionError: division by zero; at File")
