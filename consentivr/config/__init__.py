"""From YAML to a frozen configuration; every mistake at once, with file and line."""

from consentivr.config.errors import ConfigError, Mistake
from consentivr.config.load import load, loads
from consentivr.config.model import Configuration, LineConfiguration, QueueConfiguration

__all__ = [
    "ConfigError",
    "Configuration",
    "LineConfiguration",
    "Mistake",
    "QueueConfiguration",
    "load",
    "loads",
]
