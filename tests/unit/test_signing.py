"""Our signatures are botocore's, whatever is signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from headrace_connectors.signing import Signer

WORD = st.text("abcXYZ019-._~/+=", min_size=1, max_size=40)
HEADERS = {
    "X-Amz-Target": "AmazonSQS.ReceiveMessage",
    "Content-Type": "application/x-amz-json-1.0",
    "User-Agent": "headrace  {time}",
    "X-Amzn-Query-Mode": "true",
}


class At(auth.SigV4Auth):
    """botocore's signer at a time of ours; it reads the clock first thing, and writes what it read into the context."""

    def __init__(self, *given: Any, now: datetime) -> None:
        super().__init__(*given)
        self._now = now

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self._now.strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)


def expected(url: str, body: bytes, credentials: ReadOnlyCredentials, now: float) -> dict[str, str]:
    request = AWSRequest("POST", url, dict(HEADERS), body)
    At(credentials, "sqs", "eu-central-1", now=datetime.fromtimestamp(now, UTC)).add_auth(request)
    return dict(request.headers.items())


@given(
    url=st.sampled_from(
        [
            "https://sqs.eu-central-1.amazonaws.com/",
            "http://127.0.0.1:4566/",
            "https://h:443/",
            "https://h:444/a b/../c?q=1&a",
        ]
    ),
    calls=st.lists(
        st.tuples(
            st.binary(max_size=50),
            st.builds(ReadOnlyCredentials, WORD, WORD, st.none() | WORD),
            st.integers(0, 4_000_000_000),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_every_call_of_one_signer_is_signed_as_botocore_does(
    url: str, calls: list[tuple[bytes, ReadOnlyCredentials, int]]
) -> None:
    """Credentials, day and body change between calls: nothing of the last call may stay."""
    signer = Signer(url, HEADERS, "eu-central-1", "sqs")
    for body, credentials, now in calls:
        assert signer.sign(body, credentials, now) == expected(url, body, credentials, now)
