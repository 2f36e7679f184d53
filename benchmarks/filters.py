"""What a filter costs: a 1-KB event matched by typical patterns, and parsed the two ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter

import orjson

from headrace.filters import compile_pattern
from headrace.filters.tree import read_event

ORDER = {
    "order": {
        "id": "b0a1-4711",
        "status": "paid",
        "total": 129.5,
        "currency": "EUR",
        "created": "2026-03-01T10:00:00Z",
    },
    "customer": {"id": 4711, "email": "someone@example.org", "country": "DE", "tags": ["vip", "newsletter", "b2b"]},
    "items": [
        {"sku": f"SKU-{number}", "quantity": number + 1, "price": 9.75 * (number + 1), "digital": number % 2 == 0}
        for number in range(6)
    ],
    "shipping": {"method": "express", "address": {"city": "Berlin", "zip": "10115", "lines": ["Street 1", "c/o B"]}},
    "client": {"ip": "10.1.2.3", "agent": "Mozilla/5.0 (X11; Linux x86_64)", "session": None},
    "note": "x" * 270,
}
EVENT = {"body": ORDER}
PATTERNS = {
    "one field, exact": {"body": {"order": {"status": ["paid"]}}},
    "four fields, mixed": {
        "body": {
            "order": {"status": [{"anything-but": "void"}], "total": [{"numeric": [">", 100]}]},
            "customer": {"email": [{"suffix": "@example.org"}]},
            "client": {"ip": [{"cidr": "10.0.0.0/8"}]},
        }
    },
    "array, one element": {"body": {"items": {"sku": ["SKU-5"], "quantity": [{"numeric": [">=", 6]}]}}},
    "$or of three, exists": {
        "body": {
            "$or": [
                {"note": [{"wildcard": "*fragile*"}]},
                {"customer": {"tags": ["gold"]}},
                {"shipping": {"method": ["express"]}, "client": {"session": [{"exists": True}]}},
            ],
            "deleted": [{"exists": False}],
        }
    },
}


def measure() -> dict[str, float]:
    """µs a call, by what was called."""
    text = json.dumps(ORDER)
    event = orjson.loads(json.dumps(EVENT))
    costs: dict[str, float] = {}
    for name, written in PATTERNS.items():
        pattern = compile_pattern(written)
        assert pattern.matches(event), name
        costs[name] = _cost(lambda pattern=pattern: pattern.matches(event))
    costs["plain parse"] = _cost(lambda: orjson.loads(text))
    costs["parse that keeps the text of numbers"] = _cost(lambda: read_event(text))
    return costs


def size() -> int:
    """Bytes of the event's body."""
    return len(json.dumps(ORDER, separators=(",", ":")))


def _cost(call: Callable[[], object], times: int = 2000) -> float:
    """The least of seven: what else the machine does only adds."""
    least = float("inf")
    for _ in range(7):
        began = perf_counter()
        for _ in range(times):
            call()
        least = min(least, perf_counter() - began)
    return least / times * 1e6


if __name__ == "__main__":
    print(json.dumps(measure()))
