"""An answer that breaks off halfway is asked for again by the full call."""

from __future__ import annotations

import asyncio

import pytest

from headrace_connectors.aws import AwsSettings, aws_client

BODY = b'{"QueueUrls":[]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n" % len(BODY)


async def test_a_body_that_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    answers = [HEAD + BODY, HEAD + BODY[:5], HEAD + BODY]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (answer := answers.pop(0) if answers else b"") and await reader.readuntil(b"{}"):
            writer.write(answer)
            if len(answer) < len(HEAD + BODY):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aws_client("sqs", AwsSettings(region="r", endpoint_url=f"http://127.0.0.1:{port}")) as client:
        assert (await client.call("ListQueues"))["QueueUrls"] == []
        assert (await client.call("ListQueues"))["QueueUrls"] == []
    assert answers == []
