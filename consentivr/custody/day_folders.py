"""The folders of the days to come, kept ready beside the calls."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import gevent
import structlog

from consentivr.recordings import make_days

log = structlog.get_logger(__name__)

PAUSE_S = 3600.0


class DayFolders:
    """Makes the folders in which the switch will record, so that both it and we may write and erase there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Make them now, and those that follow."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """No more."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def _run(self) -> None:
        said = None
        while True:
            try:
                make_days(self._folder, datetime.now(timezone.utc).date())
                said = None
            except FileNotFoundError:
                pass  # 'check' says that the folder itself is not there yet
            except OSError as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("day folders cannot be made; what the switch makes may not be erased", why=said)
            gevent.sleep(PAUSE_S)
