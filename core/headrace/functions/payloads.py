"""Why a call failed, in the payloads of Lambda: key order, types and texts as recorded there."""

from __future__ import annotations

import signal
import traceback
from itertools import dropwhile
from pathlib import Path

from headrace.functions.marshal import LIMIT, TooLarge
from headrace.model import Failure

_OURS = (str(Path(__file__).parent), str(Path(traceback.__file__).parent / "importlib"), "<frozen importlib")
"""Where the frames lie that a user did not write: this package, and the machinery of imports."""


def crashed(error: BaseException, request_id: str) -> Failure:
    """The handler raised *error*."""
    if isinstance(error, SystemExit):
        return _reported(type="Runtime.ExitError", message=f"RequestId: {request_id} Error: {exit_text(error)}")
    return _raised(type(error).__name__, text_of(error), request_id, frames(error))


def unmarshalled(error: Exception, request_id: str) -> Failure:
    """What the handler returned could not be made into a response."""
    if isinstance(error, TooLarge):
        message = f"Response payload size exceeded maximum allowed payload size ({LIMIT} bytes)."
        name = "Function.ResponseSizeTooLarge"
        return Failure(type=name, message=message, payload={"errorMessage": message, "errorType": name})
    return _raised("Runtime.MarshalError", f"Unable to marshal response: {text_of(error)}", request_id, ())


def died(status: int, request_id: str) -> Failure:
    """The process that the handler ran in ended, with *status* as `subprocess.Popen.returncode` has it."""
    return _reported(type="Runtime.ExitError", message=f"RequestId: {request_id} Error: {ending(status)}")


def not_started(why: str, request_id: str) -> Failure:
    """The process for the handler cannot be had."""
    return _reported(type="Runtime.ExitError", message=f"RequestId: {request_id} Error: {why}")


def timed_out(timeout: float, request_id: str) -> Failure:
    """The call was not over after *timeout* seconds."""
    message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
    return _reported(type="Sandbox.Timedout", message=message)


def exit_text(error: SystemExit) -> str:
    """What Lambda says of a process that ended with the status of *error*."""
    return ending(error.code & 0xFF if isinstance(error.code, int) else int(error.code is not None))


def text_of(error: BaseException) -> str:
    """`str(error)`, also of an error that cannot even do that."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it is the user's __str__
        return f"<unprintable {type(error).__name__} object>"


def frames(error: BaseException) -> tuple[str, ...]:
    """The stack of *error* from the user's first frame on, each frame one string that ends in a newline."""
    found = dropwhile(lambda frame: frame.filename.startswith(_OURS), traceback.extract_tb(error.__traceback__))
    return tuple(traceback.format_list([(at.filename, at.lineno or 0, at.name, at.line) for at in found]))


def ending(status: int) -> str:
    """What Lambda says of a process that ended with *status*, as `subprocess.Popen.returncode` has it."""
    if status < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-status) or str(-status)).lower()}"
    if status:
        return f"Runtime exited with error: exit status {status}"
    return "Runtime exited without providing a reason"


def _raised(name: str, message: str, request_id: str, stack: tuple[str, ...]) -> Failure:
    payload = {"errorMessage": message, "errorType": name, "requestId": request_id, "stackTrace": list(stack)}
    return Failure(type=name, message=message, stack=stack, payload=payload)


def _reported(type: str, message: str) -> Failure:  # noqa: A002 - Lambda's word
    """The failures that Lambda reports in place of the runtime: without request id and stack."""
    return Failure(type=type, message=message, payload={"errorType": type, "errorMessage": message})
