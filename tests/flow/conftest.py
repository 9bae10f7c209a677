"""A laboratory with two lines, made as each test wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from consentivr.config import Configuration
from tests.flow.talks import Talks


@pytest.fixture
def talks(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Callable[..., Talks]]:
    """Called with ``mode`` and sections of the configuration; what else it takes, ``configure`` takes too."""
    with ExitStack() as stack:

        def make(
            mode: str = "permanent_opt_out", *, how: dict[str, Any] | None = None, speed: float = 20, **sections: Any
        ) -> Talks:
            return stack.enter_context(Talks(configure(mode, **(how or {})), tmp_path, speed=speed, **sections))

        yield make
