"""What a connection to the event socket has asked for: kinds of events, and filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Filters:
    """``filter``: with filters, what a positive one names and no negative one (FREESWITCH.md, section 7)."""

    def __init__(self) -> None:
        self._filters: list[tuple[str, str, bool]] = []

    def add(self, words: str) -> str:
        """``NAME VALUE``; a value with a minus is negative. Returns the reply."""
        name, _, value = words.partition(" ")
        if not name or not value:
            return "-ERR invalid syntax"
        self._filters.append((name, value.lstrip("+- ").lower(), value.lstrip(" ").startswith("-")))
        return f"+OK filter added. [{name}]=[{value}]"

    def pass_(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is let through."""
        passes = not self._filters
        for name, value, negative in self._filters:
            if str(event.get(name, "")).lower() == value:
                if negative:
                    return False
                passes = True
        return passes


class Subscription:
    """``event json A B CUSTOM c::d``, ``nixevent``, ``noevents``, ``filter``."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._subclasses: set[str] = set()
        self.filters = Filters()

    def add(self, names: list[str]) -> None:
        """What stands after CUSTOM are subclasses."""
        self._each(names, self._names.add, self._subclasses.add)

    def remove(self, names: list[str]) -> None:
        """The same for ``nixevent``."""
        self._each(names, self._names.discard, self._subclasses.discard)

    def clear(self) -> None:
        """``noevents``."""
        self._names.clear()
        self._subclasses.clear()

    @staticmethod
    def _each(names: list[str], name: Callable[[str], None], subclass: Callable[[str], None]) -> None:
        custom = False
        for word in names:
            if word == "CUSTOM":
                custom = True
            else:
                (subclass if custom else name)(word)

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is to be sent."""
        name: str = event["Event-Name"]
        if name == "CUSTOM":
            wanted = event.get("Event-Subclass", "") in self._subclasses
        else:
            wanted = name in self._names or "ALL" in self._names
        return wanted and self.filters.pass_(event)
