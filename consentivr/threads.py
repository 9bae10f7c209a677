"""What goes on beside: what blocks, in a thread beside the gevent hub; what never ends, in a greenlet of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import gevent
import gevent.event
import gevent.threadpool

P = ParamSpec("P")
T = TypeVar("T")


class Running(Generic[T]):
    """Something under way in a worker thread."""

    def __init__(self, outcome: gevent.event.AsyncResult) -> None:
        self._outcome = outcome

    def get(self, timeout: float | None = None) -> T:
        """What it returns, or raises. Raises gevent.Timeout after ``timeout`` seconds; it goes on then."""
        value, error = self._outcome.get(timeout=timeout)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]


class Worker:
    """So many threads of its own. To be used from one gevent hub."""

    def __init__(self, threads: int = 1) -> None:
        self._pool = gevent.threadpool.ThreadPool(threads)

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Running[T]:
        """Begin it as soon as a thread is free."""
        return Running(self._pool.spawn(_outcome, function, args, kwargs))

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Wait for what it returns, or raises; other greenlets go on."""
        return self.start(function, *args, **kwargs).get()


def _outcome(
    function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[T | None, Exception | None]:
    """In the thread, where gevent would print what is raised."""
    try:
        return function(*args, **kwargs), None
    except Exception as error:
        return None, error


class Beside(ABC):
    """What ``_run`` does, without an end, while calls are served."""

    _greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """No more."""
        if self._greenlet is not None:
            self._greenlet.kill()

    @property
    def is_dead(self) -> bool:
        """Whether nobody does it any more, although somebody should."""
        return self._greenlet is not None and self._greenlet.ready()

    @abstractmethod
    def _run(self) -> None:
        """In a greenlet of its own."""
