"""What the switchboard remembers of one leg, and of one conference."""

from __future__ import annotations


class Leg:
    """What is known of one leg. Most legs have a partner and nothing else."""

    __slots__ = ("conference", "holds", "listens_to", "partner", "recorders", "sought", "speaks", "taps")

    def __init__(self) -> None:
        self.partner: str | None = None
        self.sought: tuple[str, ...] = ()
        """Whose partner this leg is; those that are not its own partner wait for it."""
        self.holds: tuple[str, ...] = ()
        self.conference: str | None = None
        self.listens_to: str | None = None
        self.speaks = True
        self.recorders: tuple[str, ...] = ()
        self.taps: tuple[str, ...] = ()


class Conference:
    """Who is in a conference, and what it is recorded to."""

    __slots__ = ("members", "recordings")

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.recordings: set[str] = set()


def changed(there: tuple[str, ...], one: str, on: bool) -> tuple[str, ...]:
    """With one more, or without it."""
    if on:
        return there if one in there else (*there, one)
    return tuple(other for other in there if other != one)
