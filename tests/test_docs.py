"""Documentation that stays true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import consentivr
from consentivr.cli import main
from consentivr.core.consent import Reason
from consentivr.core.events import AskingEvent
from consentivr.core.evidence import Turn
from consentivr.core.policy import RecordingMode
from consentivr.core.state import AskingState

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["dialogue.md", "commands.md"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generator().PAGES[name](), "run docs/generate.py"


def test_the_generated_diagram_knows_every_event() -> None:
    named = generator().events_in(AskingState())
    assert {type(event) for event in named.values()} == set(get_args(AskingEvent))
    page = (DOCS / "dialogue.md").read_text(encoding="utf-8")
    for name in named:
        assert name in page


def test_the_administrator_finds_every_turn_reason_and_mode() -> None:
    text = (DOCS / "admin.md").read_text(encoding="utf-8")
    for word in [*Turn, *Reason, *RecordingMode]:
        assert f"`{word.value}`" in text, word


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in re.findall(r"bin/consentivr (\w+)", text):
        assert verb in main.commands
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_changelog_knows_this_version() -> None:
    assert f"## {consentivr.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
