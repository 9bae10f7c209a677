"""FreeSWITCH's XML: the fail-safe dialplan, the record-template that each mode needs, no way out of an attribute."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentivr.config import Configuration
from consentivr.core.policy import RecordingMode
from consentivr.rendering import DialplanLine, Queue, differences, render, write
from consentivr.resources import shipped
from consentivr.service.build import rendered

DIALPLAN, QUEUES, VARS = (
    "dialplan/public/00_consentivr.xml",
    "autoload_configs/consentivr/queues.xml",
    "vars/consentivr.xml",
)


def queue(**changes: object) -> Queue:
    values: dict = {
        "name": "support@default",
        "mode": RecordingMode.PERMANENT_OPT_OUT,
        "strategy": "longest-idle-agent",
        "music": "local_stream://moh",
        "max_wait_s": 0,
        "max_wait_no_agent_s": 0,
        "recordings_folder": "/r",
    }
    return Queue(**{**values, **changes})


SECRET = "5ec2e7" * 8


def files(line: DialplanLine | None = None, *, secret: str | None = SECRET, **changes: object) -> dict[str, str]:
    made = queue(**changes)
    line = line or DialplanLine("support", "5000", made, "/s/unanswered.wav")
    return render(
        shipped("freeswitch_xml"),
        lines=[line],
        queues=[made],
        context="public",
        hosts=["127.0.0.1:8184", "127.0.0.1:8185"],
        watchdog_s=20,
        secret=secret,
        neutral={"RECORD_APPEND": "false"},
        untold={"digits_dialed_filter": "^(.*)$"},
    )


def actions(text: str, extension: str) -> list[tuple[str, str]]:
    (found,) = [e for e in ElementTree.fromstring(text).iter("extension") if e.get("name") == extension]
    return [(a.get("application", ""), a.get("data", "")) for a in found.iter("action")]


def test_the_dialplan_never_loses_a_call_and_never_records_by_accident() -> None:
    text = files()[DIALPLAN]
    assert actions(text, "consentivr-support") == [
        ("set", "consent_record_file=/dev/null/no-record/${uuid}.wav"),
        ("set", "consent_no_record=true"),
        ("set", "consent_line=support"),
        ("unset", "consent_visit"),
        ("unset", "consent_decision"),
        ("set", "consent_handled=false"),
        ("set", "consent_joined_before=${cc_queue_joined_epoch}"),
        ("set", "digits_dialed_filter=^(.*)$"),
        ("set", "sip_disable_recording=true"),
        (
            "set",
            "consent_watchdog=${sched_api(+20 consentivr-${uuid} uuid_transfer ${uuid} "
            "consentivr-fallback-support XML public)}",
        ),
        ("set", "consent_called_at=${strepoch()}"),
        ("set", "consent_proof=${md5(${uuid}:${consent_called_at}:${consent_secret})}"),
        ("socket", "127.0.0.1:8184|127.0.0.1:8185 async full"),
        ("unset", "consent_proof"),
        ("transfer", "consentivr-fallback-support XML public"),
    ]
    assert actions(text, "consentivr-support-to-queue") == [
        ("set", "consent_watchdog=${sched_del(consentivr-${uuid})}"),
        ("answer", ""),
        ("callcenter", "support@default"),
        ("transfer", "consentivr-ended-support XML public"),
    ]
    assert "socket_resume" not in text
    assert "sched_cancel" not in text, "timers of others stay"
    assert ("unset", "cc_cause") not in actions(text, "consentivr-support"), "variables of others stay"


def test_a_talk_that_is_over_is_not_queued_again_but_another_visit_is() -> None:
    (found,) = [
        extension
        for extension in ElementTree.fromstring(files()[DIALPLAN]).iter("extension")
        if extension.get("name") == "consentivr-support-been-in-queue"
    ]
    assert [(each.get("field"), each.get("expression")) for each in found.iter("condition")][1:] == [
        ("${consent_handled}", "^true$"),
        ("${cond(x${cc_queue_joined_epoch} == x${consent_joined_before} ? same : other)}", "^other$"),
    ]


@pytest.mark.parametrize(
    ("mode", "template"),
    [
        (RecordingMode.OFF, None),
        (RecordingMode.CALLER_OPT_IN, None),
        (RecordingMode.PERMANENT_OPT_OUT, "${consent_record_file}"),
        (RecordingMode.PERMANENT, "/r/${strftime(%Y/%m/%d)}/${uuid}-${cc_queue_joined_epoch}.wav"),
    ],
)
def test_the_record_template_that_a_mode_needs(mode: RecordingMode, template: str | None) -> None:
    """FREESWITCH.md, section 4: an empty template records, so where none is wanted there is none."""
    root = ElementTree.fromstring(files(mode=mode)[QUEUES])
    found = {param.get("name"): param.get("value") for param in root.iter("param")}
    assert found.get("record-template") == template
    assert "" not in found.values()


def test_a_call_that_never_met_us_has_a_path_that_cannot_be_created() -> None:
    preset = ElementTree.fromstring(files()[VARS])[0]
    assert preset.attrib == {"cmd": "set", "data": "consent_record_file=/dev/null/no-record/never-asked.wav"}


def test_the_secret_is_in_one_file_and_on_no_channel() -> None:
    made = files()
    assert ElementTree.fromstring(made[VARS])[1].attrib == {"cmd": "set", "data": f"consent_secret={SECRET}"}
    assert [name for name, text in made.items() if SECRET in text] == [VARS]
    assert not any("consent_secret" in text or "consent_proof" in text for text in files(secret=None).values())


def test_a_permanent_line_is_not_flagged() -> None:
    text = files(mode=RecordingMode.PERMANENT)[DIALPLAN]
    assert "consent_no_record=true" not in text
    assert ("set", "RECORD_STEREO=true") in actions(text, "consentivr-support")
    assert ("set", "RECORD_APPEND=false") in actions(text, "consentivr-support"), "also while we are away"
    mono = files(mode=RecordingMode.PERMANENT, stereo=False)[DIALPLAN]
    assert ("set", "RECORD_STEREO=false") in actions(mono, "consentivr-support")
    assert "RECORD_" not in files()[DIALPLAN]


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_no_value_breaks_out_of_its_attribute(text: str) -> None:
    """Even one that the configuration would have refused."""
    hostile = queue(name=text, music=text, legal_basis=text, unanswered_extension=text)
    made = render(
        shipped("freeswitch_xml"),
        lines=[DialplanLine("support", text, hostile, text)],
        queues=[hostile],
        context="public",
        hosts=[text],
        watchdog_s=20,
        secret=SECRET,
        neutral={"RECORD_APPEND": text},
        untold={"digits_dialed_filter": text},
    )
    plain = files(unanswered_extension="6000")
    for name in (DIALPLAN, QUEUES):
        shape = [(e.tag, sorted(e.attrib)) for e in ElementTree.fromstring(made[name]).iter()]
        assert shape == [(e.tag, sorted(e.attrib)) for e in ElementTree.fromstring(plain[name]).iter()]
    (found,) = ElementTree.fromstring(made[QUEUES])
    assert found.get("name") == text


def test_a_number_is_no_regular_expression() -> None:
    made = queue()
    text = files(DialplanLine("support", "+49.30", made, None))[DIALPLAN]
    assert r'expression="^\+49\.30$"' in text
    assert "playback" not in text


def test_everything_is_rendered_from_the_configuration(configure: Callable[..., Configuration]) -> None:
    made = rendered(configure(unanswered='then: transfer, extension: "6000"'))
    assert set(made) == {DIALPLAN, QUEUES, VARS}
    assert ("transfer", "6000 XML public") in actions(made[DIALPLAN], "consentivr-support-unanswered")


# --- files -----------------------------------------------------------------------------------


def test_write_and_diff(tmp_path: Path) -> None:
    assert "+<b/>" in differences(tmp_path, {"a/x.xml": "<b/>\n"})
    assert write(tmp_path, {"a/x.xml": "<b/>\n"}) == [tmp_path / "a/x.xml"]
    assert differences(tmp_path, {"a/x.xml": "<b/>\n"}) == ""
    assert write(tmp_path, {"a/x.xml": "<b/>\n"}) == [], "what is the same is not touched"
    assert (tmp_path / "a/x.xml").stat().st_mode & 0o777 == 0o640
    changed = differences(tmp_path, {"a/x.xml": "<c/>\n"})
    assert "-<b/>" in changed
    assert "+<c/>" in changed


def test_a_difference_shows_no_secret(tmp_path: Path) -> None:
    write(tmp_path, files())
    shown = differences(tmp_path, files(secret="a" * 64))
    assert SECRET not in shown
    assert "a" * 64 not in shown
    assert '-  <X-PRE-PROCESS cmd="set" data="consent_secret=..."/>' in shown
    assert '+  <X-PRE-PROCESS cmd="set" data="consent_secret=..."/>' in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_renders_is_for_whom_the_folder_is(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65533)
    (path,) = write(tmp_path, {"made/with/it/x.xml": "new"})
    for each in (path, *list(path.parents)[:3]):
        assert (each.stat().st_uid, each.stat().st_gid) == (65534, 65533), each


def test_never_a_half_written_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"x.xml": "old"})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("consentivr.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, {"x.xml": "new"})
    assert (tmp_path / "x.xml").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.xml"]
