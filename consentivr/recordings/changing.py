"""A finished recording that another user wrote, made ours so that it can be changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from consentivr.files import replacing


def make_ours(path: Path) -> None:
    """Put a copy of our own in a file's place where we may not write to it, with its times. Raises OSError.

    FreeSWITCH's user owns what it records, and its umask may keep its group from writing. The folder is ours: whoever
    may erase in it may replace.
    """
    if os.access(path, os.W_OK, effective_ids=True):
        return
    before = path.stat()
    with replacing(path, before.st_mode & 0o777 | 0o600) as temporary:
        shutil.copyfile(path, temporary)
        os.utime(temporary, ns=(before.st_atime_ns, before.st_mtime_ns))
