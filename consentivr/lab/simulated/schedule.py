"""``sched_api`` and ``sched_del``: commands that run later, in groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import gevent


class Schedule:
    """Times are simulated seconds."""

    def __init__(self, later: Callable[..., gevent.Greenlet], api: Callable[[str], str]) -> None:
        self._later = later
        self._api = api
        self._ids = itertools.count(1)
        self._tasks: dict[int, tuple[str, str, gevent.Greenlet]] = {}

    @property
    def commands(self) -> list[tuple[str, str]]:
        """(group, command) of what is still to come."""
        return [(group, command) for group, command, _ in self._tasks.values()]

    def add(self, words: str) -> str:
        """``+SECONDS GROUP COMMAND``; what the API command answers."""
        when, _, rest = words.partition(" ")
        group, _, command = rest.partition(" ")
        if not command or not when.lstrip("+@").isdigit():
            return "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"
        number = next(self._ids)

        def run() -> None:
            self._tasks.pop(number, None)
            self._api(command.removesuffix("&"))

        self._tasks[number] = (group, command, self._later(int(when.lstrip("+@")), run))
        return f"+OK Added: {number}\n"

    def delete(self, which: str) -> str:
        """By number or by group; what the API command answers."""
        by_number = which.isdigit()
        found = [
            number for number, (group, _, _) in self._tasks.items() if which == (str(number) if by_number else group)
        ]
        for number in found:
            self._tasks.pop(number)[2].kill(block=False)
        return f"+OK Deleted: {len(found)}\n"

    def clear(self) -> None:
        """Forget all."""
        for _, _, timer in self._tasks.values():
            timer.kill(block=False)
        self._tasks.clear()
