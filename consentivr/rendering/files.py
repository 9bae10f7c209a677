"""Comparing with what is there, and replacing it whole or not at all. Nobody but FreeSWITCH's group reads it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from consentivr.files import make_folder, replacing

MODE = 0o640
"""The dialplan's secret is in it. Owner and group are the folder's, which are FreeSWITCH's."""

_SECRET = re.compile(r'(?<=data="consent_secret=)\w+')


def differences(folder: Path, files: Mapping[str, str]) -> str:
    """A unified diff from what is in ``folder`` to ``files``, without the secrets; empty when nothing would change."""
    parts: list[str] = []
    for name, text in files.items():
        path = folder / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        parts += difflib.unified_diff(
            old.splitlines(keepends=True),
            text.splitlines(keepends=True),
            fromfile=str(path) if old else "/dev/null",
            tofile=str(path),
        )
    return _SECRET.sub("...", "".join(parts))


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files that changed, each by renaming a complete one into its place.

    Returns the paths written. Raises OSError; what was not replaced by then is as it was.
    """
    changed = [
        (folder / name, text)
        for name, text in files.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]
    for path, text in changed:
        make_folder(path.parent)
        with replacing(path, MODE) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [path for path, _ in changed]
