# ruff: noqa: INP001 - a handler's file, as a user writes it
"""The demo's handler: adds orders up in the file that DEMO_HANDLED names. It takes a total for a number.

Nothing in it knows headrace: it would run on AWS Lambda as it stands.
"""

import json
import os
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    done, failed = [], []
    for record in event["Records"]:
        order = json.loads(record["body"])
        try:
            done.append(f"{order['order']} {order['total'] * 1.19:.2f} {record['messageId']}\n")
        except TypeError:  # a shop's till has begun to write "12,50"
            failed.append({"itemIdentifier": record["messageId"]})
    with open(os.environ["DEMO_HANDLED"], "a", encoding="ascii") as book:  # noqa: PTH123 - one write, appended whole
        book.write("".join(done))
    return {"batchItemFailures": failed}
