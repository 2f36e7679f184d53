"""The two dialects of schedule expressions: those of EventBridge's rules, and those of EventBridge Scheduler."""

from __future__ import annotations

from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["rule", "scheduler"]
