"""headrace: event source mappings that run anywhere."""

from importlib.metadata import version

__version__ = version("headrace")
