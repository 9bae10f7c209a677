"""A watch in the hands of a test."""

from __future__ import annotations

import pytest

from tests.watch.desk import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)
