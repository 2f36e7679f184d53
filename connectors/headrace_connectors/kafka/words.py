"""Temporary."""


def words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
