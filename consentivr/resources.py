"""What the system gives us: files that we ship, wherever they are installed, descriptors, memory."""

from __future__ import annotations

import contextlib
import ctypes
import resource
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The shipped folder ``config``, ``sounds``, ``freeswitch_xml``, ``systemd`` or ``monitoring``.

    A wheel carries them inside the package, a checkout beside it. Raises FileNotFoundError when
    neither is there.
    """
    for candidate in (_PACKAGE / "share" / folder, _PACKAGE.parent / folder):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"consentivr is installed without its folder '{folder}': install it again")


DESCRIPTORS_BESIDE_CALLS = 200
"""Kept back from calls: 50 for HTTP (``web.connections``), 100 for calls that are turned away, the rest for the ledger,
the switches' event sockets, logs, recordings being sealed."""

TURNED_AWAY_AT_ONCE = 1000
"""So many calls are given back at once, where there are descriptors for it."""


def room_for_calls(wanted: int) -> int:
    """How many calls this process has descriptors for, one each; its limit is raised for ``wanted`` where it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + DESCRIPTORS_BESIDE_CALLS + TURNED_AWAY_AT_ONCE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(0, min(wanted, soft - DESCRIPTORS_BESIDE_CALLS))


def room_to_turn_away(calls: int) -> int:
    """How many more, besides so many calls, can be given back at once."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return TURNED_AWAY_AT_ONCE
    return max(0, min(TURNED_AWAY_AT_ONCE, soft - calls - DESCRIPTORS_BESIDE_CALLS + 100))


_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024 * 1024


def large_blocks_go_back() -> None:
    """Let glibc give every large block back as soon as it is free; elsewhere nothing is done.

    The list of twenty thousand channels is 20 MB, several times over while it is read. As it comes, glibc keeps up to
    64 MB of it for good, once it has seen such a block.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
