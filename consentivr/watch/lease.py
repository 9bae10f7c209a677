"""Each switch has exactly one watch at a time: who holds the lease, which ends with its holder."""

from __future__ import annotations

from typing import Protocol


class Lease(Protocol):
    """To watch one switch."""

    def take(self) -> bool:
        """Whether it is ours now; does not wait. Raises OSError."""
        ...

    def holds(self) -> bool:
        """Whether it still is ours."""
        ...

    def release(self) -> None:
        """Let somebody else have it."""
        ...
