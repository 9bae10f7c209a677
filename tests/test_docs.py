"""Documentation that stays true."""

from __future__ import annotations

import html
import importlib.util
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
import yaml

import consentivr
from consentivr.check import TABLE
from consentivr.cli import main
from consentivr.config import load
from consentivr.config.model import Configuration
from consentivr.config.values import Section
from consentivr.core.consent import Reason
from consentivr.core.policy import AgentWish, Announcement, Outsiders, RecordingMode, Taps, WhileHeld
from consentivr.core.turn import Turn
from consentivr.service.build import rendered

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CODE = [*(ROOT / "consentivr").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "freeswitch_xml").rglob("*.j2")]


def read(*path: str) -> str:
    return DOCS.joinpath(*path).read_text(encoding="utf-8")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["dialogue.md", "commands.md", "settings.md", "console.md", "../config/consentivr.yaml"]
)
def test_what_is_generated_is_up_to_date(name: str) -> None:
    assert read(name) == generator().PAGES[name](), "run docs/generate.py"


def test_the_administrator_finds_every_turn_reason_and_mode() -> None:
    text = read("ledger.md") + read("recording.md")
    for word in [*Turn, *Reason, *RecordingMode]:
        assert f"`{word.value}`" in text, word


def test_the_dialplan_is_explained_line_by_line() -> None:
    page = " ".join(read("calls.md").replace("\\|", "|").split())
    files = rendered(load(ROOT / "config" / "consentivr.yaml"), "secret")
    xml = next(text for path, text in files.items() if "dialplan" in str(path)).partition("consentivr-support_en")[0]
    actions = re.findall(r'<action application="(\w+)"(?: data="([^"]*)")?/>', xml)
    assert len(actions) > 15
    for application, data in actions:
        line = application if application == "playback" else f"{application} {html.unescape(data)}".strip()
        assert f"`{line}`" in page, line


def test_every_row_of_the_check_is_explained() -> None:
    page = read("check.md")
    for row in TABLE:
        assert f"| {row.title} |" in page, row.title


def test_the_administrator_finds_every_choice() -> None:
    text = (
        read("recording.md")
        + read("announcements.md")
        + (ROOT / "config" / "consentivr.yaml").read_text(encoding="utf-8")
    )
    for word in [*WhileHeld, *Outsiders, *Taps, *AgentWish, *Announcement]:
        assert re.search(rf"\b{word.value}\b", text), word


PAGES = [
    *(page for page in ROOT.glob("*.md") if page.name != "CHANGELOG.md"),
    *DOCS.rglob("*.md"),
    *(ROOT / "freeswitch_xml").glob("*.md"),
    *(ROOT / "lab").glob("*.md"),
]
"""What somebody reads. The changelog speaks of what was."""


def titles(page: Path) -> list[str]:
    """What a link may lead to, as GitHub makes it of the headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [
        re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8")):
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in titles(there), f"{page.name}: {target}#{anchor}"


def test_every_page_is_found_from_the_index() -> None:
    """In two steps at most: the index by reader, then that reader's page."""
    known = {(DOCS / "README.md").resolve()}
    for _ in range(2):
        known |= {
            (page.parent / target).resolve()
            for page in known
            for target in re.findall(r"\]\((?!\w+:)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
            if target.endswith(".md")
        }
    records = set((DOCS / "decisions").glob("*.md"))
    assert set(DOCS.rglob("*.md")) - records <= known


def blocks(page: Path, kind: str = "[a-z]*") -> list[str]:
    """Of code, without what they are indented by."""
    text = page.read_text(encoding="utf-8")
    return [textwrap.dedent(code) for code in re.findall(rf"^ *```{kind}\n(.*?)^ *```", text, re.M | re.S)]


def inline(page: Path) -> list[str]:
    """What stands between backticks."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]


def commands_in(page: Path) -> Iterator[str]:
    """What is called of our program, without comments and quoted values."""
    lines = [line for block in blocks(page) for line in re.sub(r"\\\n *", "", block).splitlines()]
    for code in [*lines, *inline(page)]:
        bare = re.sub(r"\"[^\"]*\"|'[^']*'", "TEXT", code)
        for called in re.findall(r"(?:^(?:[$#] )?|&& |\| |\$\(|bin/)consentivr ([a-z-][^;&|)]*)", bare):
            yield re.sub(r"\s#.*", "", called)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_is_named_exists(page: Path) -> None:
    for called in commands_in(page):
        command: click.Command = main
        words = iter(called.split())
        for word in words:
            if isinstance(command, click.Group) and not word.startswith("-"):
                assert word in command.commands, f"{page.name}: {called}"
                command = command.commands[word]
                if isinstance(command, click.Group) and any(isinstance(it, click.Argument) for it in command.params):
                    next(words)
        known = {name for option in [*command.params, *main.params] for name in [*option.opts, *option.secondary_opts]}
        for option in re.findall(r"(?:^|\s)(--?[a-z][\w-]*)", called):
            assert option in known | {"--help"}, f"{page.name}: {called}: {option}"


def keys_of(section: type[Section]) -> set[str]:
    """Without marks for names and lists."""
    return {re.sub(r"\[\]|\.\*", "", path) for path, _ in generator().settings(section)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = keys_of(Configuration)
    for code in inline(page):
        for name in re.findall(r"^([a-z_]+(?:\.\*|\[\])?(?:\.(?:[a-z_]+|\*))+)(?=[:,]? |:?$)", code):
            path = re.sub(r"\[\]|\.\*", "", name)
            if path.partition(".")[0] in known and not path.endswith((".log", ".pub", ".key", "_failed")):
                assert path in known, f"{page.name}: {code}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_examples_of_settings_are_settings(page: Path) -> None:
    """Names of lines, queues, languages, agents are the reader's own; whatever else stands there is the model's."""

    def look(value: object, section: type[Section]) -> None:
        assert isinstance(value, dict), f"{page.name}: {value}"
        for key, below in value.items():
            assert key in section.model_fields, f"{page.name}: {key} in {section.__name__}"
            annotation = section.model_fields[key].annotation
            for inner in generator().sections_in(annotation):
                several = generator().container_of(annotation)
                for each in below.values() if several is dict else below if several is tuple else [below]:
                    look(each, inner)

    for block in blocks(page, "yaml"):
        example = yaml.safe_load(block)
        if set(example) & set(Configuration.model_fields):  # else it is another program's
            look(example, Configuration)


def test_the_readme_names_targets_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_changelog_knows_this_version() -> None:
    assert f"## {consentivr.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


# --- what the code cites ---------------------------------------------------------------------


def cited(pattern: str) -> Iterator[tuple[str, str]]:
    """Where the code cites something of this form, and what. A citation may go on in the next line of a comment."""
    for file in CODE:
        if file == Path(__file__).resolve():
            continue
        text = re.sub(r"\s*\n\s*#?\s*", " ", file.read_text(encoding="utf-8"))
        for found in re.findall(pattern, text):
            yield file.name, found


FACTS = re.findall(r"^## (\d+)\.", read("freeswitch.md"), re.MULTILINE)
ROWS = re.findall(r"^\| ([A-S]) \| \S", read("freeswitch.md"), re.MULTILINE)


def test_the_facts_that_the_code_cites_are_in_the_house() -> None:
    assert [str(number) for number in range(1, len(FACTS) + 1)] == FACTS
    known = 0
    for where, numbers in cited(r"(?i)freeswitch\.md, (?:sections? )?((?:\d+)(?:(?:,| and) \d+)*)"):
        for number in re.findall(r"\d+", numbers):
            assert number in FACTS, f"{where}: section {number}"
            known += 1
    assert known > 50
    for where, number in cited(r"\(section (\d+)[:)]"):
        assert number in FACTS, f"{where}: section {number}"


def test_every_row_that_the_code_answers_is_in_the_house_and_every_row_is_answered() -> None:
    assert len(ROWS) == len(set(ROWS)) == 18
    answered = {
        row
        for where, rows in cited(r"\b[Rr]ows? ([A-S](?:(?:, | and )[A-S])*)\b")
        for row in re.findall(r"\b[A-S]\b", rows)
    }
    assert answered == set(ROWS)
    tested = (ROOT / "tests" / "esl" / "test_greenswitch_rows.py").read_text(encoding="utf-8")
    for row in ROWS:
        assert f"def test_{row.lower()}_bare_" in tested, row
        assert f"def test_{row.lower()}_ours_" in tested, row


def test_the_pages_that_the_code_names_are_there_and_so_are_their_sections() -> None:
    """Messages send people to "docs/page.md, Section"; a text may go on in the next line's literal."""
    named = 0
    for file in CODE:
        if file == Path(__file__).resolve():
            continue
        text = re.sub(r'"\s*\n\s*f?"', "", file.read_text(encoding="utf-8"))
        for page, section in re.findall(r"\bdocs/([\w/-]+\.md)(?:, ([A-Z][\w ?]+))?", text):
            assert (DOCS / page).exists(), f"{file.name}: {page}"
            titles = re.findall(r"^#+ (.*)$", read(page), re.MULTILINE)
            assert not section or any(section.startswith(title) for title in titles), f"{file.name}: {page}, {section}"
            named += bool(section)
    assert named


def test_the_promises_that_the_code_cites_are_in_the_house() -> None:
    known = re.findall(r"^## (P\d+)$", read("promises.md"), re.MULTILINE)
    assert known == [f"P{number}" for number in range(1, 12)]
    for where, name in cited(r"promises? (P\d+)"):
        assert name in known, f"{where}: {name}"
    for where, name in cited(r"def test_(p\d+)_"):
        assert name.upper() in known, f"{where}: {name}"


def test_the_decisions_that_the_house_cites_are_there() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    titles = {int(record.name[:4]): record.read_text(encoding="utf-8").splitlines()[0] for record in records}
    assert list(titles) == list(range(1, len(titles) + 1))
    for number, title in titles.items():
        assert title.startswith(f"# {number}. ")
    pages = [page.read_text(encoding="utf-8") for page in [*DOCS.glob("*.md"), *records]]
    named = [int(number) for _, number in cited(r"\bdecision (\d+)\b")]
    named += [int(number) for text in pages for number in re.findall(r"\[?[Dd]ecision (\d+)\b", text)]
    assert set(named) <= set(titles)


def test_the_design_that_the_code_cites_is_in_the_house() -> None:
    text = read("architecture.md")
    for where, title in cited(r"DESIGN\.md, \"([^\"]+)\""):
        assert f"## {title}" in text, f"{where}: {title}"
    assert "Precedence: statute" in text
    assert "media" in text
    assert "## Budgets" in text


def test_the_way_of_a_call_names_files_that_exist() -> None:
    text = read("architecture.md")
    named = re.findall(r"`((?:\w+/)*\w+\.py)`", text)
    assert len(named) > 25
    for name in named:
        assert (ROOT / "consentivr" / name).exists(), name
    for name in re.findall(r"`([\w/]+\.j2)`", text):
        assert (ROOT / name).exists(), name


def test_the_way_of_a_call_passes_every_file_of_both_halves() -> None:
    text = read("architecture.md")
    small = {"__init__", "line", "house", "lease", "visit", "watch"}
    for room in ("asking", "watch"):
        for file in (ROOT / "consentivr" / room).glob("*.py"):
            assert file.stem in small or f"`{room}/{file.name}`" in text, file.name


def test_the_rooms_are_all_named() -> None:
    table = read("architecture.md").partition("## Rooms")[2].partition("\n## ")[0]
    for room in (ROOT / "consentivr").iterdir():
        if room.stem not in ("__init__", "__main__", "py", "__pycache__") and room.suffix in ("", ".py"):
            assert f"`{room.stem}`" in table, room.name


def test_the_tests_of_each_promise_exist() -> None:
    sections = re.split(r"^## (P\d+)$", read("promises.md"), flags=re.MULTILINE)[1:]
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        tests = re.findall(r"^- (\S+(?: switch)?): `([\w/]+\.py)(?:::(\w+))?`$", text, re.MULTILINE)
        assert {"parts", "real switch"} <= {kind for kind, _, _ in tests}, f"{name} is not tested on each level"
        for _, file, test in tests:
            there = ROOT / "tests" / file
            assert there.exists(), f"{name}: {file}"
            assert f"def {test or 'test_'}" in there.read_text(encoding="utf-8"), f"{name}: {test}"


def test_the_log_says_what_is_explained_and_what_it_warns_of_is_explained() -> None:
    rooms = (file for file in (ROOT / "consentivr").rglob("*.py") if file.parent.name not in ("lab", "bench"))
    program = " ".join(file.read_text(encoding="utf-8") for file in rooms)
    program = re.sub(r"['\"]\s*\n\s*f?['\"]", "", program)
    page = read("troubleshooting.md").partition("## What the log says")[2]
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    for line in (line.partition("=")[0] for cell in cells for line in re.findall(r"`([^`]+)`", cell)):
        head, _, tail = line.partition(": ")
        assert any(said in program for said in (line, f"{head}: {{", f"}}: {tail}")), line
    warnings = re.findall(r"log\.(?:warning|error|exception)\(\s*(?:f?\"([^\"]+)\"|f?'([^']+)')", program)
    assert len(warnings) > 40
    for line in ("".join(either) for either in warnings):
        known = line.partition(": {")[0].rpartition("}: ")[2].partition(";")[0].partition("{")[0]
        assert known.strip() in page, line


def test_each_row_of_why_not_names_a_test_of_both() -> None:
    rows = [line for line in read("why-not-record-session.md").splitlines() if "`test_" in line]
    alone = (ROOT / "tests" / "switch" / "test_record_session_alone.py").read_text(encoding="utf-8")
    told = []
    for row in rows:
        _, _, without, ours, _ = row.split("|")
        (name,) = re.findall(r"`(test_\w+)`", without)
        assert f"def {name}(" in alone, name
        told.append(name)
        ((file, test),) = re.findall(r"`(test_\w+\.py)::(test_\w+)`", ours)
        assert f"def {test}(" in (ROOT / "tests" / "switch" / file).read_text(encoding="utf-8"), test
    assert sorted(told) == sorted(re.findall(r"^def (test_\w+)", alone, re.MULTILINE))


def test_what_tests_share_is_in_no_test() -> None:
    for file in (ROOT / "tests").rglob("*.py"):
        found = re.findall(r"^\s*(?:from|import) (tests\S*\.(?:test_\w+|conftest))", file.read_text("utf-8"), re.M)
        assert not found, f"{file.name} imports {found}"


def test_every_room_and_every_shipped_folder_is_in_the_wheel() -> None:
    """What the wheel does not carry is missed only where it is installed."""
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    named = set(re.findall(r"^    (consentivr[.\w]*)$", text, re.MULTILINE))
    rooms = {".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "consentivr").rglob("__init__.py")}
    assert rooms == {name for name in named if ".share." not in name}
    shipped = set(re.findall(r'shipped\("(\w+)"\)', "".join(file.read_text(encoding="utf-8") for file in CODE)))
    assert {f"consentivr.share.{folder}" for folder in shipped} <= named
