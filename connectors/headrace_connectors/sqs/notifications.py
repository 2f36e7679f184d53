"""S3's notifications: object keys decoded where they stand, and test events known. Pure.

S3 writes a key as a form does: `+` for a space, %XX for bytes of UTF-8
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_plus

from headrace.jsontext import Place, items, members, replaced, root

URL_ENCODED_KEY = "urlEncodedKey"
"""What stands behind a decoded key: the key as S3 wrote it."""


def bucket_of_test_event(found: dict[str, Any]) -> str | None:
    """The bucket of the event that S3 sends when a notification is configured; None where *found* is none."""
    match found:
        case {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": str(bucket)}:
            return bucket
    return None


def with_plain_keys(body: str, found: dict[str, Any]) -> str:
    """*body*, whose parsed form is *found*, with its object keys decoded; nothing else in it changes.

    The same object where there is nothing to decode.
    """
    records = found.get("Records")
    plain = [_plain_key(record) for record in records] if isinstance(records, list) else []
    if all(key is None for key in plain):
        return body
    places = items(body, members(body, root(body))["Records"][0])
    changes = [_change(body, place, key) for key, place in zip(plain, places, strict=True) if key is not None]
    return replaced(body, changes)


def _plain_key(record: Any) -> str | None:
    """The decoded key of an S3 record, of AWS's or of a server like it (`minio:s3`); None where there is none.

    A key that is no UTF-8, or that was decoded before, is none.
    """
    match record:
        case {"eventSource": str(source), "s3": {"object": {"key": str(key)} as thing}} if (
            source.endswith(":s3") and URL_ENCODED_KEY not in thing
        ):
            try:
                return unquote_plus(key, errors="strict")
            except UnicodeDecodeError:
                return None
    return None


def _change(body: str, record: Place, plain: str) -> tuple[Place, str]:
    """The key's place, and what is to stand there: the plain key, and the encoded one as a member of its own."""
    place = record
    for name in ("s3", "object", "key"):
        place = members(body, place[0])[name]
    encoded = body[slice(*place)]
    return place, f'{json.dumps(plain, ensure_ascii=False)},"{URL_ENCODED_KEY}":{encoded}'
