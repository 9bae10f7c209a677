"""The lock and ``setup.cfg`` say the same of the libraries; and what a file of requirements must not say."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SERVES = ("console", "postgresql", "timestamps", "voices")
"""The extras of who serves, besides what is always needed."""


def wanted(*extras: str) -> list[Requirement]:
    """What setup.cfg wants."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [parser["options"]["install_requires"], *(parser["options.extras_require"][extra] for extra in extras)]
    return [Requirement(line) for text in texts for line in text.strip().splitlines()]


def locked(name: str) -> dict[str, list[Requirement]]:
    """What a lock names; a library may stand there once for each of several Pythons."""
    made: dict[str, list[Requirement]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\").strip())
            made.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return made


def test_every_library_has_an_upper_bound() -> None:
    for requirement in wanted(*SERVES, "bench", "dev"):
        assert any(one.operator in ("<", "==") for one in requirement.specifier), requirement


@pytest.mark.parametrize(("name", "extras"), [("requirements.txt", SERVES), ("requirements-dev.txt", ("dev",))])
def test_the_lock_has_what_is_wanted(name: str, extras: tuple[str, ...]) -> None:
    made = locked(name)
    for requirement in wanted(*extras):
        versions = [next(iter(one.specifier)).version for one in made[canonicalize_name(requirement.name)]]
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_tests_run_with_what_serves() -> None:
    serves, tests = locked("requirements.txt"), locked("requirements-dev.txt")
    for name in serves.keys() & tests.keys():
        assert {str(one.specifier) for one in serves[name]} == {str(one.specifier) for one in tests[name]}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_file_is_known_by_its_hash_and_by_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in re.sub(r"^[a-z0-9-]+==.*", "", text, flags=re.M)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.search(r"==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
