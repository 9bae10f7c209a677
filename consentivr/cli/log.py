"""The log: to standard error, and no line of it so often that it hides the others."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

import structlog

LINES_A_MINUTE = 20
"""So often the same warning or error is said in a minute; then only how many more there were."""


class Rate:
    """For structlog's processors. ``tell`` is to be called once a minute."""

    def __init__(self) -> None:
        self._said: Counter[tuple[str, str]] = Counter()

    def __call__(self, logger: Any, level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The line, if it may be said."""
        if level not in ("debug", "info"):
            which = level, str(line.get("event"))
            self._said[which] += 1
            if self._said[which] > LINES_A_MINUTE:
                raise structlog.DropEvent
        return line

    def tell(self) -> None:
        """Say how many were left out, and begin another minute."""
        said, self._said = self._said, Counter()
        for (level, event), count in said.items():
            if count > LINES_A_MINUTE:
                getattr(structlog.get_logger(), level)(event, left_out=count - LINES_A_MINUTE)


def configure_log(level: str, *, json_lines: bool, rate: Rate | None = None) -> None:
    """Log to standard error: in columns on a terminal, else as name='value', or as JSON lines."""
    renderer: Any = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    if json_lines:
        renderer = structlog.processors.JSONRenderer()
    elif sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        processors=[
            *([rate] if rate else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
    )
