"""FreeSWITCH's words: every command against its literal text; nothing hostile becomes part of one (promise P7)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr import switch
from consentivr.esl.codec import encode

LEG = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"
PATH = "/r/2026/11/25/a-2.wav"

LITERAL: dict[str, tuple[Callable[[], str], str]] = {
    "start_recorder": (lambda: switch.start_recorder(LEG, PATH), f"uuid_record {LEG} start {PATH}"),
    "stop_recorder": (lambda: switch.stop_recorder(LEG, PATH), f"uuid_record {LEG} stop {PATH}"),
    "stop_all_recorders": (lambda: switch.stop_all_recorders(LEG), f"uuid_record {LEG} stop all"),
    "mask_recorder": (lambda: switch.mask_recorder(LEG, PATH, True), f"uuid_record {LEG} mask {PATH}"),
    "stop_conference_recording": (
        lambda: switch.stop_conference_recording("sales@default", PATH), f"conference sales@default norecord {PATH}",
    ),
    "stop_all_conference_recordings": (
        lambda: switch.stop_all_conference_recordings("a+b"), "conference a+b norecord all",
    ),
    "taps_of": (lambda: switch.taps_of(LEG), f"uuid_buglist {LEG}"),
    "exists": (lambda: switch.exists(LEG), f"uuid_exists {LEG}"),
    "dump": (lambda: switch.dump(LEG), f"uuid_dump {LEG} json"),
    "variable_of": (lambda: switch.variable_of(LEG, "consent_visit"), f"uuid_getvar {LEG} consent_visit"),
    "set_variables": (
        lambda: switch.set_variables(LEG, {"consent_no_record": "true", "consent_decision": ""}),
        f"uuid_setvar_multi {LEG} consent_no_record=true;consent_decision=",
    ),
    "play_to": (lambda: switch.play_to(LEG, "/s/a.wav", both=True), f"uuid_broadcast {LEG} /s/a.wav both"),
    "hang_up": (lambda: switch.hang_up(LEG), f"uuid_kill {LEG}"),
    "watchdog": (
        lambda: switch.watchdog(LEG, 31, "consentivr-support-fallback", "public"),
        f"sched_api +31 consentivr-{LEG} uuid_transfer {LEG} consentivr-support-fallback XML public",
    ),
    "watched_until": (lambda: switch.watched_until(1795), "global_setvar consentivr_watched_until=1795"),
    "is_loaded": (lambda: switch.is_loaded("mod_lua"), "module_exists mod_lua"),
    "log_line": (lambda: switch.log_line("a word of ours"), "log info a word of ours"),
    "configuration": (
        lambda: switch.configuration("callcenter"),
        "xml_locate configuration configuration name callcenter.conf",
    ),
    "profile": (lambda: switch.profile("internal"), "sofia xmlstatus profile internal"),
    "user_is_there": (lambda: switch.user_is_there("1001@pbx.example"), "user_exists id 1001 pbx.example"),
    "variable_of_user": (
        lambda: switch.variable_of_user("1001@pbx.example", "user_record"),
        "user_data 1001@pbx.example var user_record",
    ),
    "lets_in": (lambda: switch.lets_in("192.0.2.1", "loopback.auto"), "acl 192.0.2.1 loopback.auto"),
    "no_watchdog": (lambda: switch.no_watchdog(LEG), f"sched_del consentivr-{LEG}"),
}  # fmt: skip


@pytest.mark.parametrize("name", LITERAL)
def test_a_command_on_the_wire(name: str) -> None:
    make, text = LITERAL[name]
    assert make() == text
    assert encode(f"bgapi {text}") == f"bgapi {text}\n\n".encode()


def test_the_commands_without_arguments() -> None:
    said = (
        switch.CHANNELS,
        switch.CALLS,
        switch.CONFERENCES,
        switch.SWITCHNAME,
        switch.CORE_UUID,
        switch.WATCHED_UNTIL,
    )
    assert said == (
        "show channels as json", "show calls as json", "conference json_list", "switchname", "global_getvar core_uuid",
        "global_getvar consentivr_watched_until",
    )  # fmt: skip
    assert switch.mask_recorder(LEG, PATH, False) == f"uuid_record {LEG} unmask {PATH}"
    assert switch.play_to(LEG, "/s/a.wav", both=False) == f"uuid_broadcast {LEG} /s/a.wav aleg"


@pytest.mark.parametrize("name", ["", "a b", "a\nbgapi uuid_kill", "a;b", "a'b", "ä"])
def test_no_name_becomes_another_command(name: str) -> None:
    assert not switch.is_word(name)
    for make in (switch.is_loaded, switch.configuration, switch.profile):
        with pytest.raises(ValueError, match="cannot stand in a command"):
            make(name)
    for ask in (
        lambda: switch.user_is_there(f"{name}@pbx.example"),
        lambda: switch.variable_of_user("1001@pbx.example", name),
        lambda: switch.lets_in("192.0.2.1", name),
    ):
        with pytest.raises(ValueError, match="cannot stand in a command"):
            ask()


def test_files_that_are_played_as_one() -> None:
    assert switch.one_after_another(["/s/a.wav", "/s/b.wav"]) == "file_string:///s/a.wav!/s/b.wav"
    assert switch.one_after_another(["/s/a.wav"]) == "/s/a.wav"
    assert switch.one_after_another([]) == "silence_stream://10"


def test_every_command_is_tried_above() -> None:
    """Whoever adds one to ``switch`` finds this."""
    makes = {
        name
        for name, thing in vars(switch).items()
        if inspect.isfunction(thing) and thing.__module__ == switch.__name__ and not name.startswith("_")
    }
    reads = {
        "unrecordable", "is_recordable", "can_be_named", "is_conference_name", "watchdog_group", "permission",
        "refusal", "media_bugs", "is_done", "is_no_channel",
        "caller_id_number", "dumped", "is_word", "module_of", "one_after_another",
    }  # fmt: skip
    assert makes - reads == set(LITERAL)


def test_what_a_dump_tells() -> None:
    assert switch.dumped('{"Unique-ID": "x", "variable_list": ["one"]}') == {"Unique-ID": "x"}
    for nothing in ("-ERR No such channel!\n", "", "[]"):
        assert switch.dumped(nothing) == {}


# --- what must not become part of a command ---------------------------------------------------

OF_A_LEG = [
    switch.stop_all_recorders,
    switch.taps_of,
    switch.exists,
    switch.dump,
    switch.hang_up,
    switch.no_watchdog,
    lambda leg: switch.start_recorder(leg, PATH),
    lambda leg: switch.stop_recorder(leg, PATH),
    lambda leg: switch.mask_recorder(leg, PATH, True),
    lambda leg: switch.variable_of(leg, "consent_visit"),
    lambda leg: switch.set_variables(leg, {"a": "b"}),
    lambda leg: switch.play_to(leg, PATH, both=True),
    lambda leg: switch.watchdog(leg, 20, "x", "public"),
]
OF_A_PATH = [
    lambda path: switch.start_recorder(LEG, path),
    lambda path: switch.stop_recorder(LEG, path),
    lambda path: switch.mask_recorder(LEG, path, True),
    lambda path: switch.play_to(LEG, path, both=False),
    lambda path: switch.stop_conference_recording("room", path),
]
OF_A_CONFERENCE = [switch.stop_all_conference_recordings, lambda name: switch.stop_conference_recording(name, PATH)]

LEGS = ["", "all", f"{LEG} ", f"{LEG}\n", f"{LEG} stop all", LEG.upper(), f"{LEG}/", "${uuid}", "a" * 36, f"'{LEG}'"]
PATHS = [
    "", "all", "relative.wav", "/a b.wav", "/a\tb", "/a\n/b", "/${uuid}", "/$${base_dir}", "/a'b", '/a"b', "/ä.wav",
    "/a\u00a0b", "/a\x7f", " /a", "/a\r",
]  # fmt: skip
CONFERENCES = ["", "a b", "a\nb", "a norecord /x", "${x}", "a'b", "a;b", "a/b", "a|b", "a\n"]


@pytest.mark.parametrize("make", OF_A_LEG)
@pytest.mark.parametrize("leg", LEGS)
def test_p7_what_is_no_channel(make: Callable[[str], str], leg: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        make(leg)


@pytest.mark.parametrize("make", OF_A_PATH)
@pytest.mark.parametrize("path", PATHS)
def test_p7_what_is_no_path(make: Callable[[str], str], path: str) -> None:
    assert not switch.can_be_named(path)
    with pytest.raises(ValueError, match="path"):
        make(path)


@pytest.mark.parametrize("make", OF_A_CONFERENCE)
@pytest.mark.parametrize("name", CONFERENCES)
def test_p7_what_is_no_conference(make: Callable[[str], str], name: str) -> None:
    assert not switch.is_conference_name(name)
    with pytest.raises(ValueError, match="conference"):
        make(name)


@pytest.mark.parametrize(
    "values",
    [{"a": "b c"}, {"a": "b;c=d"}, {"a": "'b"}, {"a": "${b}"}, {"a": "b\n"}, {"a b": "c"}, {"a;b": "c"}, {}],
)
def test_p7_what_is_no_value(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        switch.set_variables(LEG, values)


@given(text=st.text(max_size=80))
@settings(max_examples=400, deadline=None)
def test_p7_any_text_is_one_word_of_a_command_or_refused(text: str) -> None:
    words = {"leg": OF_A_LEG, "path": OF_A_PATH, "conference": OF_A_CONFERENCE}
    for makes in words.values():
        for make in makes:
            try:
                command = make(text)
            except ValueError:
                continue
            assert text in command.split(" "), "as it stands"
            assert "${" not in command
            assert re.fullmatch(r"[\x20-\x7e\w]+", command), "no control character"
            assert encode(f"bgapi {command}").count(b"\n") == 2


@given(values=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3))
@settings(max_examples=400, deadline=None)
def test_p7_values_are_one_word_and_so_many(values: dict[str, str]) -> None:
    try:
        command = switch.set_variables(LEG, values)
    except ValueError:
        return
    assert command.count(" ") == 2
    assert command.count(";") == len(values) - 1


# --- variables and answers -------------------------------------------------------------------


def test_a_path_that_can_never_be_created() -> None:
    assert switch.unrecordable(LEG) == f"/dev/null/no-record/{LEG}.wav"
    assert [switch.is_recordable(path) for path in (PATH, switch.unrecordable(LEG), "", None)] == [
        True, False, False, False,
    ]  # fmt: skip


def test_permission_and_refusal_say_the_opposite_of_each_other() -> None:
    may, may_not = switch.permission(PATH, stereo=False), switch.refusal(LEG, "withdrawn")
    assert (may[switch.NO_RECORD], may[switch.RECORD_FILE], may["RECORD_STEREO"]) == ("false", PATH, "false")
    assert may["RECORD_BRIDGE_REQ"] == "true", "no music, no waiting"
    assert set(switch.NEUTRAL) < set(may)
    assert may_not[switch.NO_RECORD] == "true"
    assert not switch.is_recordable(may_not[switch.RECORD_FILE])
    assert may_not[switch.DECISION] == "withdrawn"
    for variables in (may, may_not):
        assert switch.set_variables(LEG, variables)


SEEN = (
    "<media-bugs>\n <media-bug>\n  <function>session_record</function>\n  <target>/r/a.wav</target>\n"
    "  <thread-locked>0</thread-locked>\n </media-bug>\n <media-bug>\n  <function>eavesdrop</function>\n"
    f"  <target>{LEG}</target>\n </media-bug>\n</media-bugs>\n"
)


def test_what_listens_to_a_leg() -> None:
    assert switch.media_bugs(SEEN) == (("session_record", "/r/a.wav"), ("eavesdrop", LEG))
    assert switch.media_bugs("<media-bugs>\n</media-bugs>\n") == ()
    for no_list in ("-ERR no reply\n", "", "-ERR no answer in time"):
        assert switch.media_bugs(no_list) is None, "not known is not none"


@pytest.mark.parametrize(
    ("answer", "is_done"),
    [
        ("+OK Success\n", True),
        ("+OK", True),
        ("-ERR Cannot mask recording session!\n", False),
        ("", False),
        ("OK", False),
    ],
)
def test_what_is_done(answer: str, is_done: bool) -> None:
    assert switch.is_done(answer) is is_done
