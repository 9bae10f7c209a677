"""A laboratory with two lines, made as each test wants it.

The flow tests' time runs faster: so does what waits for whoever asked to hand in what they decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from consentivr.config import Configuration
from tests.flow.talks import Talks


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.watch.settling.PATIENCE_SECONDS", 0.3)


@pytest.fixture
def talks(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Callable[..., Talks]]:
    """Called with ``mode``, what else ``configure`` takes (``how``), and what ``Talks`` takes."""
    with ExitStack() as stack:

        def make(mode: str = "permanent_opt_out", *, how: dict[str, Any] | None = None, **more: Any) -> Talks:
            return stack.enter_context(Talks(configure(mode, **(how or {})), tmp_path, **more))

        yield make
