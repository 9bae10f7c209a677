"""Waiting for what happens beside the test."""

from __future__ import annotations

from collections.abc import Callable

import gevent


def until(what: Callable[[], object], seconds: float = 10, why: object = "it does not happen") -> None:
    """Poll until it is so. Raises AssertionError with ``why``, or what that returns, when it does not come to be."""
    for _ in range(int(seconds / 0.005)):
        if what():
            return
        gevent.sleep(0.005)
    raise AssertionError(why() if callable(why) else why)
