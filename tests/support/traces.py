"""Whether a text gives a secret away, in any notation: found by undoing notations, with none of headrace's own code."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote_plus

DEPTH = 4
"""Notations within notations: a repr of JSON of base64 of JSON has four."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}=*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_BYTES = re.compile(r"\[(-?\d{1,3}(?:, ?-?\d{1,3})+)\]")


def exposes(text: str, *secrets: str) -> bool:
    """Whether *text* has one of *secrets* in it."""
    seen, layer = {text}, {text}
    for _ in range(DEPTH):
        if any(secret in one for one in layer for secret in secrets):
            return True
        layer = {under for one in layer for under in _undone(one)} - seen
        seen |= layer
    return any(secret in one for one in layer for secret in secrets)


def _undone(text: str) -> Iterator[str]:
    """One notation less; what stands in base64, or as a list of bytes, all together."""
    yield _ESCAPE.sub(_unescaped, text)
    with suppress(ValueError):  # as bytes that repr has shown
        yield _ESCAPE.sub(_unescaped, text).encode("latin-1").decode()
    if "%" in text or "+" in text:
        yield unquote_plus(text)
    runs = [found.rstrip("=").replace("-", "+").replace("_", "/") for found in _BASE64.findall(text)]
    for begin in range(4 if runs else 0):
        yield "\n".join([_decoded(run[begin:]) for run in runs])
    if lists := _BYTES.findall(text):
        yield "\n".join([_text(bytes(int(one) & 0xFF for one in found.split(","))) for found in lists])


def _decoded(run: str) -> str:
    return _text(base64.b64decode(run[: len(run) - (len(run) % 4 == 1)] + "==="[: -len(run) % 4]))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "ignore")


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) > 1:
        with suppress(ValueError, OverflowError):
            return chr(int(code[1:], 16))
    return _PLAIN.get(code, code)


def in_every_notation(secret: str) -> Iterator[tuple[str, str]]:
    """For tests of `exposes` itself: how a handler may quote *secret*."""
    body = json.dumps({"a": secret})
    yield from {
        "plain": secret,
        "json": body,
        "json in json": json.dumps({"body": body}),
        "repr of json": repr({"body": body}),
        "bytes": repr(body.encode()),
        "bytes of utf-8": repr(json.dumps({"a": secret}, ensure_ascii=False).encode()),
        "ascii": ascii(secret),
    }.items()
    for before in range(3):
        yield f"base64 {before}", base64.b64encode(b"x" * before + secret.encode()).decode()
        yield f"base64 of json {before}", base64.b64encode(b" " * before + body.encode()).decode()
    yield "base64 in json", json.dumps({"data": base64.b64encode(body.encode()).decode()})
