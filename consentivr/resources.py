"""Where the templates, the sample configuration and the announcements are, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The shipped folder ``config``, ``sounds`` or ``freeswitch_xml``.

    A wheel carries them inside the package, a checkout beside it. Raises FileNotFoundError when
    neither is there.
    """
    for candidate in (_PACKAGE / "share" / folder, _PACKAGE.parent / folder):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"consentivr is installed without its folder '{folder}': install it again")
