"""What tests do with DynamoDB tables, through an aiobotocore client: our own code is not checked by itself."""

from __future__ import annotations

import secrets
from typing import Any


async def make_table(
    dynamodb: Any, name: str | None = None, *, view_type: str = "NEW_AND_OLD_IMAGES"
) -> tuple[str, str]:
    """A new table with the key `id` and a stream: its name, and its stream's ARN."""
    name = name or f"t-{secrets.token_hex(6)}"
    answer = await dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type},
    )
    arn: str = answer["TableDescription"]["LatestStreamArn"]
    return name, arn
