"""What every test of the console has."""

from __future__ import annotations

import argon2
import pytest

from consentivr.console import accounts


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> None:
    """Argon2id takes as long as it is told to, and that is not what is tested."""
    accounts.HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
