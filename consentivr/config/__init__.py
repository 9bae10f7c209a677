"""From YAML to a frozen configuration; every mistake at once, with file and line."""

from consentivr.config.errors import ConfigError, Mistake
from consentivr.config.lines import LineConfiguration
from consentivr.config.load import lines_of, load, loads
from consentivr.config.model import Configuration
from consentivr.config.queues import QueueConfiguration

__all__ = [
    "ConfigError",
    "Configuration",
    "LineConfiguration",
    "Mistake",
    "QueueConfiguration",
    "lines_of",
    "load",
    "loads",
]
