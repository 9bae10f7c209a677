"""Where a setting is written, found in the switch's own files."""

from __future__ import annotations

from pathlib import Path

from consentivr.check import Finding, Level
from consentivr.check.door import PASSWORD
from consentivr.check.files import elements, located, read, values
from consentivr.check.finding import Element
from consentivr.check.recorders import global_variable

CALLCENTER = b"""<configuration name="callcenter.conf">
  <queues>
    <!-- <queue name="sales@default"><param name="record-template" value="/no.wav"/></queue> -->
    <queue name="support@default">
      <param name="record-template" value="/a.wav"/>
    </queue>
    <queue name="Sales@default">
      <param name="strategy" value="random"/>
      <param name="Record-Template" value="/b.wav"/>
    </queue>
  </queues>
</configuration>
"""


def test_the_line_of_the_element_within_its_own() -> None:
    written = elements("/etc/callcenter.conf.xml", CALLCENTER)

    def line(*within: str) -> int:
        element = Element.parameter("record-template", *within)
        return next(one.line for one in written if one.is_(element))

    assert (line("support@default"), line("sales@default"), line("callcenter.conf")) == (5, 9, 5)


def test_findings_get_their_places(tmp_path: Path) -> None:
    (tmp_path / "autoload_configs").mkdir()
    (tmp_path / "autoload_configs" / "callcenter.conf.xml").write_bytes(CALLCENTER)
    (tmp_path / "vars.xml").write_text('<include>\n<X-PRE-PROCESS cmd="set" data="RECORD_APPEND=true"/>\n</include>')
    (tmp_path / "broken.xml").write_text("<include>\n<oops\n")
    (tmp_path / "notes.txt").write_text('<X-PRE-PROCESS cmd="set" data="RECORD_APPEND=true"/>')

    def place(element: Element | None) -> tuple[str | None, int | None]:
        (one,) = located([Finding("x", Level.BAD, "said", element=element)], read(tmp_path))
        return one.file, one.line

    assert place(global_variable("record_append")) == (str(tmp_path / "vars.xml"), 2)
    assert place(Element("queue", (("name", "support@default"),)))[1] == 4
    assert place(Element("queue", (("name", "nobody@default"),))) == (None, None)
    assert place(None) == (None, None)


def test_a_folder_that_cannot_be_read_has_nothing(tmp_path: Path) -> None:
    assert list(read(tmp_path / "nowhere")) == []


def test_the_master_password_with_its_variables_filled_in() -> None:
    text = b'<configuration name="event_socket.conf"><param name="password" value="$${es_password}"/></configuration>'
    other = b'<user id="1001"><param name="password" value="1234"/></user>'
    written = [*elements("/x/event_socket.conf.xml", text), *elements("/x/default.xml", other)]
    assert values(written, PASSWORD, {"es_password": "a secret"}) == ["a secret"]
