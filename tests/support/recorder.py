"""A proxy in front of an AWS server that notes every call: who signed it, what it was, and on what.

It changes nothing (the Host that was signed goes on as it was), and knows of headrace as little as the server does.

    async with Recorder(server.url) as recorder: ...      # recorder.url; recorder.calls
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from aiohttp import web

from support.between import Between

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/")
_REST = (
    ("lambda", "POST", re.compile(r"/[\d-]+/functions/(?P<FunctionName>[^/]+)/invocations"), "Invoke"),
    (
        "lambda",
        "GET",
        re.compile(r"/[\d-]+/functions/(?P<FunctionName>[^/]+)/configuration"),
        "GetFunctionConfiguration",
    ),
    ("s3", "HEAD", re.compile(r"/(?P<Bucket>[^/]+)/?"), "HeadBucket"),
    ("s3", "GET", re.compile(r"/(?P<Bucket>[^/]+)/?"), "ListObjectsV2"),
    ("s3", "GET", re.compile(r"/(?P<Bucket>[^/]+)/(?P<Key>.+)"), "GetObject"),
    ("s3", "PUT", re.compile(r"/(?P<Bucket>[^/]+)/(?P<Key>.+)"), "PutObject"),
    ("s3", "DELETE", re.compile(r"/(?P<Bucket>[^/]+)/(?P<Key>.+)"), "DeleteObject"),
)
"""Services that say in method and path what is called."""
_STREAMS = "DynamoDBStreams_"


@dataclass(frozen=True, slots=True)
class Call:
    """`service` is botocore's name; `params` as they were sent, as JSON."""

    key: str
    service: str
    operation: str
    params: str

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.params).get(name)


class Recorder(Between):
    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.calls: list[Call] = []

    def take(self) -> list[Call]:
        """What was called since it was last asked."""
        calls, self.calls = self.calls, []
        return calls

    def seen(self, request: web.Request, body: bytes) -> bytes:
        self.calls += _calls(request, body)
        return body


def _calls(request: web.Request, body: bytes) -> list[Call]:
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope is None:
        return []
    key, service = scope[1], scope[3]
    target = request.headers.get("X-Amz-Target", "")
    if target:
        service = "dynamodbstreams" if target.startswith(_STREAMS) else service
        return [Call(key, service, target.rpartition(".")[2], body.decode() or "{}")]
    if service in {"sns", "sts"}:
        params = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return [Call(key, service, params.pop("Action"), json.dumps(params))]
    for name, method, path, operation in _REST:
        if (name, method) == (service, request.method) and (found := path.fullmatch(request.path_qs.partition("?")[0])):
            params = {one: unquote(value) for one, value in found.groupdict().items()}
            return [Call(key, service, operation, json.dumps(params))]
    return [Call(key, service, f"{request.method} {request.path}", "{}")]
