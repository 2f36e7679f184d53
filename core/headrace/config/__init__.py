"""A config file as checked values: every fault at once, each with its place and its mend."""

from headrace.config.loader import Config, MappingConfig, load

__all__ = ["Config", "MappingConfig", "load"]
