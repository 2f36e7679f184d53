"""Which records a mapping takes: the event patterns of EventBridge and Lambda. Pure."""

from headrace.filters.pattern import Pattern, compile_pattern, faults
from headrace.filters.view import Mismatch, View, keeper, keeper_of

__all__ = ["Mismatch", "Pattern", "View", "compile_pattern", "faults", "keeper", "keeper_of"]
