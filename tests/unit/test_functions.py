"""What a batch is handed to: every end that a call can have."""

import asyncio
import functools
import gc
import logging
import subprocess
import sys
import threading
import time
import uuid

import pytest

from headrace.clock import SYSTEM
from headrace.functions import Function
from headrace.functions.context import Delivery
from headrace.functions.invocation import Invocation
from headrace.functions.marshal import NotJson

DELIVERY = Delivery("orders", "queue", 1, 1)


async def call(handler, event=None, timeout=5.0, **options):
    function = Function.of("f", handler, timeout=timeout, **options)
    try:
        return await function.call({} if event is None else event, DELIVERY)
    finally:
        await function.close()


def plain(event, context):
    return {"thread": threading.current_thread() is threading.main_thread(), "event": event}


async def native(event, context):
    await asyncio.sleep(0)
    return {"thread": threading.current_thread() is threading.main_thread(), "event": event}


def wrapped(event, context):
    """What a decorator that is not async makes of an async handler."""
    return native(event, context)


class Plain:
    def __call__(self, event, context):
        return plain(event, context)


class Native:
    async def __call__(self, event, context):
        return await native(event, context)

    async def method(self, event, context):
        return await native(event, context)


KINDS_IN_THREAD = [plain, Plain(), functools.partial(plain), functools.partial(Plain())]
KINDS_ON_LOOP = [native, Native(), Native().method, functools.partial(native), functools.partial(Native())]


@pytest.mark.parametrize("handler", KINDS_IN_THREAD)
async def test_plain_handlers_run_in_a_thread(handler):
    answer = await call(handler, {"a": 1})
    assert answer.value == {"thread": False, "event": {"a": 1}}
    assert answer.failure is None
    assert answer.lingering is None


@pytest.mark.parametrize("handler", KINDS_ON_LOOP)
async def test_async_handlers_run_on_the_loop(handler):
    """Fails when only coroutine functions are detected: an object or a partial would go through a thread."""
    function = Function.of("f", handler, timeout=5)
    assert (await function.call({"a": 1}, DELIVERY)).value == {"thread": True, "event": {"a": 1}}
    assert function._runner._workers.threads == 0


async def test_a_plain_callable_may_return_an_awaitable():
    answer = await call(wrapped, {"a": 1})
    assert answer.value == {"thread": True, "event": {"a": 1}}


async def test_a_plain_callable_may_return_a_future_of_the_loop():
    future = asyncio.get_running_loop().create_future()
    future.set_result({"a": (1,)})
    assert (await call(lambda event, context: future)).value == {"a": [1]}


def test_a_handler_must_be_callable():
    with pytest.raises(TypeError, match="must be callable"):
        Function.of("f", "app.handler", timeout=1)


async def test_each_call_has_its_own_request_id_and_context():
    function = Function.of("f", lambda event, context: seen.append(context), timeout=5, region="eu-central-1")
    seen = []
    answers = [await function.call({}, DELIVERY) for _ in range(2)]
    assert [answer.request_id for answer in answers] == [context.aws_request_id for context in seen]
    assert answers[0].request_id != answers[1].request_id
    assert uuid.UUID(answers[0].request_id).version == 4
    assert seen[0].headrace == DELIVERY
    assert seen[0].invoked_function_arn == "arn:aws:lambda:eu-central-1:000000000000:function:f"
    assert seen[0].function_name == function.name == "f"
    assert 4000 < seen[0].get_remaining_time_in_millis() <= 5000


async def test_the_event_is_handed_over_as_it_is():
    event = {"Records": []}
    seen = []
    await call(lambda event, context: seen.append(event), event)
    assert seen[0] is event


async def test_duration_is_in_seconds():
    answer = await call(lambda event, context: time.sleep(0.1))
    assert 0.09 < answer.duration < 2


# --- failures -------------------------------------------------------------------------------------------------------


def broken(event, context):
    raise ValueError("no\nsuch order")


async def broken_async(event, context):
    await asyncio.sleep(0)
    broken(event, context)


def broken_wrapped(event, context):
    return broken_async(event, context)


@pytest.mark.parametrize("handler", [broken, broken_async, broken_wrapped])
async def test_an_exception_is_lambdas_payload(handler):
    """Fails with the key order of another shape, with our frames left in, and with Python 3.11's ^^^^ lines."""
    answer = await call(handler)
    failure = answer.failure
    assert (failure.type, failure.message) == ("ValueError", "no\nsuch order")
    assert list(failure.payload.items()) == [
        ("errorMessage", "no\nsuch order"),
        ("errorType", "ValueError"),
        ("requestId", answer.request_id),
        ("stackTrace", list(failure.stack)),
    ]
    assert all("headrace/" not in frame for frame in failure.stack)
    line = broken.__code__.co_firstlineno + 1
    assert failure.stack[-1] == (
        f'  File "{__file__}", line {line}, in broken\n    raise ValueError("no\\nsuch order")\n'
    )
    assert len(failure.stack) == (1 if handler is broken else 2)


async def test_a_handler_with_the_wrong_arguments_has_an_empty_stack():
    answer = await call(lambda event: None)
    assert answer.failure.type == "TypeError"
    assert answer.failure.payload["stackTrace"] == []


def raising(error):
    def handler(event, context):
        raise error

    async def handler_async(event, context):
        raise error

    return handler, handler_async


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("error", [KeyboardInterrupt("k"), GeneratorExit("g"), BaseException("b"), StopIteration("s")])
async def test_base_exceptions_are_answers(error, index):
    """Fails with `except Exception`: the worker dies, or the loop stops, and the call never ends."""
    failure = (await call(raising(error)[index])).failure
    if isinstance(error, StopIteration) and index:
        assert failure.type == "RuntimeError"  # Python's own: a coroutine cannot raise it
    else:
        assert (failure.type, failure.message) == (type(error).__name__, str(error))


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "Runtime exited without providing a reason"),
        (0, "Runtime exited without providing a reason"),
        (127, "Runtime exited with error: exit status 127"),
        (-1, "Runtime exited with error: exit status 255"),
        ("words", "Runtime exited with error: exit status 1"),
    ],
)
async def test_exit_is_an_answer(code, text, index):
    answer = await call(raising(SystemExit(code))[index])
    message = f"RequestId: {answer.request_id} Error: {text}"
    assert (answer.failure.type, answer.failure.message) == ("Runtime.ExitError", message)
    assert list(answer.failure.payload.items()) == [("errorType", "Runtime.ExitError"), ("errorMessage", message)]


async def test_a_cancellation_of_the_handlers_own_is_a_failure():
    """Fails when CancelledError is let through: the lane would believe that it was cancelled itself."""

    async def handler(event, context):
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    assert (await call(handler)).failure.type == "CancelledError"
    for other in raising(asyncio.CancelledError()):
        assert (await call(other)).failure.type == "CancelledError"


async def test_an_error_that_cannot_be_printed():
    class MuteError(Exception):
        def __str__(self):
            raise TypeError

    assert (await call(raising(MuteError())[0])).failure.message == "<unprintable MuteError object>"


async def test_a_response_that_is_not_serialisable():
    async def object_async(event, context):
        return object()

    for handler in (lambda event, context: object(), object_async):
        answer = await call(handler)
        message = "Unable to marshal response: Object of type object is not JSON serializable"
        assert (answer.value, answer.failure.type, answer.failure.message) == (None, "Runtime.MarshalError", message)
        assert list(answer.failure.payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
        assert answer.failure.payload["stackTrace"] == []


async def test_a_response_that_is_too_large():
    failure = (await call(lambda event, context: "x" * 6_291_555)).failure
    message = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    assert list(failure.payload.items()) == [
        ("errorMessage", message),
        ("errorType", "Function.ResponseSizeTooLarge"),
    ]
    assert (failure.type, failure.message) == ("Function.ResponseSizeTooLarge", message)


async def test_values_are_as_json_has_them():
    assert (await call(lambda event, context: {1: (2,)})).value == {"1": [2]}
    assert isinstance((await call(lambda event, context: b"no json")).value, NotJson)


# --- time-outs and cancellation -------------------------------------------------------------------------------------


async def test_a_plain_time_out_lingers_until_its_thread_has_ended():
    release = threading.Event()
    function = Function.of("f", lambda event, context: release.wait(60), timeout=1)
    answer = await function.call({}, DELIVERY)
    message = f"RequestId: {answer.request_id} Error: Task timed out after 1.00 seconds"
    assert (answer.failure.type, answer.failure.message) == ("Sandbox.Timedout", message)
    assert list(answer.failure.payload.items()) == [("errorType", "Sandbox.Timedout"), ("errorMessage", message)]
    assert 0.99 < answer.duration < 30
    await asyncio.sleep(0.05)
    waiters = [asyncio.ensure_future(answer.lingering) for _ in range(3)]
    await asyncio.sleep(0.05)
    waiters[0].cancel()  # fails without the shield: the others would be cancelled with it
    await asyncio.sleep(0)
    assert waiters[0].cancelled()
    assert not any(waiter.done() for waiter in waiters[1:])
    release.set()
    assert await asyncio.gather(*waiters[1:]) == [None, None]
    assert await answer.lingering is None  # and once more
    assert (await function.call({}, DELIVERY)).value is True  # the thread is in use again
    assert function._runner._workers.threads == 1


async def test_the_text_has_two_decimals():
    assert (await call(lambda e, c: time.sleep(1.2), timeout=1)).failure.message.endswith(" after 1.00 seconds")


async def test_a_hung_handler_blocks_neither_other_calls_nor_the_default_executor():
    """Fails with a bounded pool, and with the loop's executor, on which every DNS look-up depends."""
    release = threading.Event()
    function = Function.of("f", lambda event, context: event.get("hang") and release.wait(60), timeout=1)
    hung = await asyncio.gather(*(function.call({"hang": True}, DELIVERY) for _ in range(40)))
    assert all(answer.lingering for answer in hung)
    assert (await function.call({}, DELIVERY)).failure is None
    await asyncio.wait_for(asyncio.to_thread(int), 30)
    await asyncio.wait_for(function.close(), 30)
    release.set()
    await asyncio.gather(*(answer.lingering for answer in hung))


async def test_an_async_time_out_cancels():
    ended = []

    async def handler(event, context):
        try:
            await asyncio.sleep(10)
        finally:
            ended.append(True)

    answer = await call(handler, timeout=0.05)
    assert answer.failure.type == "Sandbox.Timedout"
    assert ended == [True]
    assert answer.lingering is None


async def test_an_async_handler_that_ignores_its_cancellation_lingers():
    """Fails when the task is simply awaited after its cancellation: the call would take as long as the handler."""
    release = asyncio.Event()

    async def handler(event, context):
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    before = time.monotonic()
    answer = await asyncio.wait_for(call(handler, timeout=0.05), 30)
    took = time.monotonic() - before
    assert took >= 1
    assert answer.duration <= took - 1, "its grace is not its own time"
    waiter = asyncio.ensure_future(answer.lingering)
    await asyncio.sleep(0.01)
    assert not waiter.done()
    release.set()
    assert await asyncio.wait_for(waiter, 2) is None


async def test_an_awaitable_has_what_is_left_of_the_time():
    """Fails when the time-out starts again on the loop."""

    def handler(event, context):
        time.sleep(0.15)
        return asyncio.sleep(0.25, "late")

    assert (await call(handler, timeout=0.3)).failure.type == "Sandbox.Timedout"


@pytest.mark.filterwarnings("error")
async def test_an_awaitable_that_comes_too_late_is_not_started(recwarn):
    release, started = threading.Event(), []

    async def inner():
        started.append(True)

    def handler(event, context):
        release.wait(5)
        return inner()

    answer = await call(handler, timeout=0.05)
    release.set()
    await answer.lingering
    await asyncio.sleep(0.02)
    assert not started
    assert not list(recwarn)  # no "was never awaited"


async def test_an_awaitable_whose_loop_ends_before_it_began_makes_no_noise(recwarn):
    """As at the end of asyncio.run, which cancels every task. Fails when the coroutine is left unawaited."""
    invocation = Invocation(wrapped, {}, None, SYSTEM)
    invocation.from_thread(invocation.in_thread())
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0)
    del invocation, task, tasks
    gc.collect()
    assert not list(recwarn)


async def test_cancelling_a_call_cancels_an_async_handler():
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(event, context):
        started.set()
        try:
            await asyncio.sleep(10)
        finally:
            ended.set()

    calling = asyncio.ensure_future(call(handler))
    await started.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await asyncio.wait_for(ended.wait(), 2)


@pytest.mark.parametrize("end", [lambda: None, broken, lambda: sys.exit(1), lambda: native({}, None)])
async def test_cancelling_a_call_lets_a_thread_go_on_and_drops_its_answer(end, caplog, capfd, recwarn):
    """Fails when the result is set on a cancelled future, or when an abandoned coroutine warns."""
    started, release, went_on = threading.Event(), threading.Event(), threading.Event()

    def handler(event, context):
        started.set()
        release.wait(5)
        went_on.set()
        return end() if end is not broken else broken(event, context)

    noise = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
    function = Function.of("f", handler, timeout=5)
    with caplog.at_level(logging.WARNING):
        calling = asyncio.ensure_future(function.call({}, DELIVERY))
        await asyncio.to_thread(started.wait, 5)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert not went_on.is_set()
        release.set()
        while function._runner._workers.busy:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
    assert went_on.is_set()
    assert (noise, caplog.records, list(recwarn), capfd.readouterr().err) == ([], [], [], "")


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_a_call_that_nobody_waits_for_is_known_until_its_thread_has_ended(how):
    """Mutation: one that is forgotten with its waiter; one that is never forgotten; one of every lane's."""
    begun, end = threading.Event(), threading.Event()

    def handler(*_):
        begun.set()
        end.wait()

    function = Function.of("f", handler, timeout=0.05 if how == "timed out" else 60)
    calling = asyncio.ensure_future(function.call({}, DELIVERY))
    await asyncio.to_thread(begun.wait)
    if how == "timed out":
        assert (await calling).lingering is not None
    else:
        assert not function.still_runs("orders", "queue"), "its waiter sees to it"
        calling.cancel()
        await asyncio.wait([calling])
    assert function.still_runs("orders", "queue")
    assert not function.still_runs("orders", "another")
    end.set()
    async with asyncio.timeout(10):
        while function.still_runs("orders", "queue"):
            await asyncio.sleep(0.01)
    await function.close()


async def test_a_closed_function_takes_no_calls():
    for handler in (plain, native):
        function = Function.of("f", handler, timeout=1)
        await function.close()
        await function.close()
        with pytest.raises(RuntimeError, match="function f is closed"):
            await function.call({}, DELIVERY)


def test_the_interpreter_exits_with_a_hung_handler():
    """Fails with threads that are joined at exit, and with a close that waits."""
    code = """
import asyncio, threading
from headrace.functions.context import Delivery
from headrace.functions import Function
async def main():
    function = Function.of("f", lambda event, context: threading.Event().wait(), timeout=0.1)
    answer = await function.call({}, Delivery("m", "l", 1, 1))
    await function.close()
    print(answer.failure.type, answer.lingering is not None)
asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "Sandbox.Timedout True\n", "")


def test_a_loop_that_closes_under_a_handler_makes_no_noise():
    """Fails without the suppression in the worker, and with a timer or a task that outlives the loop."""
    code = """
import asyncio, threading, time
from headrace.functions.context import Delivery
from headrace.functions import Function
release = threading.Event()
function = Function.of("f", lambda event, context: release.wait(), timeout=5)
async def main():
    task = asyncio.ensure_future(function.call({}, Delivery("m", "l", 1, 1)))
    await asyncio.sleep(0.1)
asyncio.run(main())
release.set()
while function._runner._workers.busy:
    time.sleep(0.01)
time.sleep(0.05)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_handler_is_not_begun_too_late(kind):
    """Catches: a look at the clock before the call is handed to its thread or task, and not when it gets there."""
    begun = []

    async def later(event, context):
        begun.append(event)

    handler = later if kind == "async" else lambda event, _: begun.append(event)
    function = Function.of("f", handler, timeout=3)
    answer = await function.call({}, DELIVERY, SYSTEM.boot)
    assert (answer.lapsed, answer.failure, begun) == (True, None, [])
    assert not (await function.call({}, DELIVERY, lambda: SYSTEM.boot() + 60)).lapsed
    assert begun
    await function.close()
