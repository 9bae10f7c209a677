"""The folders of the days to come, made before the switch needs them.

FreeSWITCH makes those that are missing, with mode 0750 (FREESWITCH.md, section 13): whoever else then can read what it
recorded, and cannot erase it.
"""

from __future__ import annotations

import os
import stat
from datetime import date, timedelta
from pathlib import Path

DAYS_AHEAD = 7
"""So long nobody need be there to make more."""


def make_days(folder: Path, today: date) -> None:
    """Make the folders of yesterday (somewhere it still is), today and a week to come, as ``folder`` is: with its
    group and mode. Made by root they are its owner's, too. Others' are left alone. Raises OSError.
    """
    like = folder.stat()
    for ahead in range(-1, DAYS_AHEAD + 1):
        place = folder
        for part in f"{today + timedelta(days=ahead):%Y/%m/%d}".split("/"):
            place /= part
            _make(place, like)


def _make(place: Path, like: os.stat_result) -> None:
    root = os.geteuid() == 0
    try:
        place.mkdir(0o700)
    except FileExistsError:
        if place.stat().st_uid not in (os.geteuid(), like.st_uid if root else os.geteuid()):
            return
    there = place.stat()
    owner = like.st_uid if root else there.st_uid
    if (there.st_uid, there.st_gid) != (owner, like.st_gid):
        os.chown(place, owner, like.st_gid)
    if stat.S_IMODE(there.st_mode) != stat.S_IMODE(like.st_mode):
        place.chmod(stat.S_IMODE(like.st_mode))
