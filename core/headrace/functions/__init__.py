"""What a batch is handed to: handlers, called as Lambda calls them."""

from headrace.functions.function import Function, close

__all__ = ["Function", "close"]
