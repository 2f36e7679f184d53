"""A service whose login at Kafka is refused: it says which one and what to mend, stays up, and goes on once it is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import UserScramCredentialUpsertion

from support.kafka_secured import Secured
from support.service import Service, config

MECHANISM = "SCRAM-SHA-256"
WRITTEN, AT_THE_BROKER = "planted-password", "another-password"


def set_password(secured: Secured, user: str, password: str) -> None:
    with secured.plain.admin() as admin:
        told = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, MECHANISM, password)])
    assert told == {user: None}


async def unavailable(service: Service) -> str:
    """Why the mapping `orders` does not poll, once it says so."""
    while True:  # starting and connecting come first
        told = await service.answers("/readyz", 503)
        orders = told.get("mappings", {}).get("orders", {})
        if orders.get("state") == "unavailable":
            return str(orders["reason"])
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
async def test_a_wrong_password_is_said_in_readyz_until_it_is_right(
    secured_kafka: Secured, tmp_path: Path, client: str, own_port: int
) -> None:
    """Mutations: a reason that tells of no answer only; one with the password; a service that ends, or gives up.

    How soon it goes on: `tests/unit/test_kafka_joining.py`.
    """
    user = secured_kafka.plain.name("user")
    await asyncio.to_thread(set_password, secured_kafka, user, AT_THE_BROKER)
    source: dict[str, Any] = {
        "type": "kafka",
        "client": client,
        "bootstrap_servers": secured_kafka.addresses["SASL"],
        "topics": [secured_kafka.plain.topic()],
        "consumer_group_id": secured_kafka.plain.name(
            "group"
        ),  # no other client's, which is killed and then waited for
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": MECHANISM,
        "sasl_username": user,
        "sasl_password": WRITTEN,
    }
    listen = f"127.0.0.1:{own_port}"
    service = Service(tmp_path, config({"orders": {"source": source, "function": "work"}}, listen=listen), {})
    service.start()
    try:
        reason = await unavailable(service)
        assert reason.startswith("not authenticated: ")
        assert reason.endswith(f"; check sasl_username ({user}) and sasl_password")
        await asyncio.sleep(3)
        assert await service.answers("/healthz", 200)
        assert await unavailable(service) == reason
        await asyncio.to_thread(set_password, secured_kafka, user, WRITTEN)
        assert await service.answers("/readyz", 200) == {"ready": True}
        assert WRITTEN not in reason + service.log_text()
    finally:
        service.stop()
