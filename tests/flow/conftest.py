"""The flow tests' time runs faster: so does what waits for whoever asked to hand in what they decided."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentivr.watch.settling.PATIENCE_SECONDS", 0.3)
