"""A line more in a file that an administrator owns, and the same file again without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentivr.setup import edits
from consentivr.setup.edits import Edit, NoPlace
from tests.setup.switch_files import CALLCENTER, LOG, MODULES, VARS


def callcenter_loaded(text: str) -> Edit | None:
    return edits.module_loaded(text, "mod_callcenter")


CASES = [
    (
        edits.queues_included,
        CALLCENTER,
        "  <queues>\n",
        '    <X-PRE-PROCESS cmd="include" data="consentivr/queues.xml"/>\n',
    ),
    (edits.variables_included, VARS, "  -->\n", '  <X-PRE-PROCESS cmd="include" data="vars/consentivr.xml"/>\n'),
    (callcenter_loaded, MODULES, '"mod_callcenter"/>-->\n', '    <load module="mod_callcenter"/>\n'),
]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(("find", "text", "before", "line"), CASES)
def test_one_line_more_in_its_place(
    find: Callable[[str], Edit | None], text: str, before: str, line: str, ending: str
) -> None:
    text, before, line = (part.replace("\n", ending) for part in (text, before, line))
    edit = find(text)
    assert edit is not None
    done = edit.apply(text)
    assert done == text.replace(before, before + line)
    assert find(done) is None, "once is enough"
    assert edit.take_back(done) == text
    assert edit.take_back(done + "<!-- of others -->") == text + "<!-- of others -->"
    assert edit.take_back(text) is None


def test_a_line_that_somebody_wrote_in_another_way_is_there_already() -> None:
    by_hand = CALLCENTER.replace(
        "<queues>\n\n", '<queues>\n<X-PRE-PROCESS   cmd="include" data="consentivr/queues.xml" />\n'
    )
    assert edits.queues_included(by_hand) is None
    commented = CALLCENTER.replace(
        "</queues>", '</queues><!--<X-PRE-PROCESS cmd="include" data="consentivr/queues.xml"/>-->'
    )
    assert edits.queues_included(commented) is not None


@pytest.mark.parametrize("text", ["", "<queues/>", "<a><queues></queues></a>", CALLCENTER + CALLCENTER])
def test_a_file_of_another_form_is_not_touched(text: str) -> None:
    with pytest.raises(NoPlace, match="<queues>"):
        edits.queues_included(text)


def test_keys_go_into_no_log() -> None:
    edit = edits.keys_unlogged(LOG)
    assert edit is not None
    done = edit.apply(LOG)
    assert '\t<map name="all" value="console,notice,warning,err,crit,alert"/>\n' in done
    assert edits.keys_unlogged(done) is None
    assert edit.take_back(done) == LOG


@pytest.mark.parametrize("text", ["", '<map name="all" value="info"/>\n<map name="all" value="debug"/>'])
def test_a_log_of_another_form_is_not_touched(text: str) -> None:
    with pytest.raises(NoPlace):
        edits.keys_unlogged(text)


def test_all_levels_are_written_out() -> None:
    edit = edits.keys_unlogged('<map name="all" value="all"/>')
    assert edit == Edit(
        '<map name="all" value="all"/>', '<map name="all" value="console,notice,warning,err,crit,alert"/>'
    )
