"""Each setting that defeats consent is found, with its remedy; what is as it should be is not; silence is neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consentivr import switch
from consentivr.check import TABLE, Answers, Finding, Level, Wanted, judged
from consentivr.check.finding import Element
from consentivr.check.table import first_questions, more_questions, questions
from tests.check.saying import (
    LINE,
    LOADED,
    OURS,
    WANTED,
    WELL,
    answers,
    callcenter,
    dialplan,
    directory,
    loaded,
    profile,
    queue,
    response,
    rows,
    settings,
    sip,
)

CALLCENTER, SOFIA = switch.configuration("callcenter"), switch.configuration("sofia")
EVENT_SOCKET = switch.configuration("event_socket")


def found(said: Answers, wanted: Wanted = WANTED) -> list[Finding]:
    return [one for one in judged(said, wanted, "127.0.0.1:8021") if one.level is not Level.GOOD]


def globally(line: str) -> dict[str, str | None]:
    return {switch.GLOBALS: f"{WELL[switch.GLOBALS]}{line}\n"}


def action(application: str, data: str, **more: str) -> dict[str, str | None]:
    return {switch.DIALPLAN: dialplan(f'<action application="{application}" data="{data}"/>', **more)}


def logfile(levels: str) -> dict[str, str | None]:
    text = f'<configuration><profiles><profile name="default"><mappings><map name="all" value="{levels}"/>'
    return {
        switch.configuration("logfile"): f"{text}</mappings></profile></profiles></configuration>",
        switch.configuration("switch"): settings('<param name="loglevel" value="debug"/>'),
        switch.LOG: f"info passed\nlogfile default {'not-kept' if levels == 'notice' else 'kept'}\nsip internal silent",
    }


def loaded_queue(name: str, template: str) -> dict[str, str | None]:
    there = [
        {"name": one["name"], "record_template": one.get("record_template")} for one in QUEUES if one["name"] != name
    ]
    return {switch.QUEUES: response(*there, {"name": name, "record_template": template})}


QUEUES: list[dict[str, str]] = [
    {"name": "support@default", "record_template": "${consent_record_file}"},
    {"name": "trade@default", "record_template": "/rec/${uuid}.wav"},
    {"name": "sales@default"},
]


def test_nothing_is_found_where_all_is_well() -> None:
    assert found(answers()) == []
    good = judged(answers(), WANTED, "pbx")
    assert [one.what for one in good] == [row.title for row in TABLE]
    assert [row.number for row in TABLE] == list(range(19))


BAD, WARNING = Level.BAD, Level.WARNING

PLANTED: list[tuple[str, dict[str, str | None], str, Level, str]] = [
    # 0
    ("no default", {switch.GLOBALS: "hostname=pbx\n"}, "0 ours: variables", BAD, "not kept from being recorded"),
    (
        "another secret",
        {switch.GLOBALS: str(WELL[switch.GLOBALS]).replace("geheim", "another")},
        "0 ours: secret",
        BAD,
        "refused",
    ),
    ("no line", {switch.DIALPLAN: dialplan(line="")}, "0 ours: consentivr-support", BAD, "does not come to us"),
    (
        "elsewhere",
        {switch.DIALPLAN: dialplan(line=LINE.replace("8184", "9999"))},
        "0 ours: consentivr-support",
        BAD,
        "127.0.0.1:9999",
    ),
    # 1: loaded, and next
    ("loaded", loaded_queue("sales@default", "/rec/all.wav"), "1 queues: sales@default", BAD, "takes it away"),
    (
        "next",
        {CALLCENTER: callcenter(OURS.replace(queue("sales@default"), queue("sales@default", "/rec/all.wav")))},
        "1 queues: sales@default",
        BAD,
        "not yet, but the next load brings it",
    ),
    ("a stranger's", loaded_queue("other@default", "/rec/a.wav"), "1 queues: other@default", WARNING, "every member"),
    ("may be empty", loaded_queue("other@default", "${rec}"), "1 queues: other@default", WARNING, "comes to nothing"),
    ("by law", loaded_queue("trade@default", ""), "1 queues: trade@default", BAD, "a statute demands"),
    ("not loaded", {switch.QUEUES: response(*QUEUES[:2])}, "1 queues: sales@default", BAD, "is not loaded"),
    # 2
    (
        "a contact",
        {switch.AGENTS: response({"name": "1", "contact": "{execute_on_pre_bridge='record_session /x.wav'}sofia/a/b"})},
        "2 agents: execute_on_pre_bridge record_session",
        BAD,
        "starts by itself",
    ),
    (
        "the next contact",
        {CALLCENTER: callcenter(OURS, "<agent name='1' contact='[api_on_answer=lua x.lua]sofia/a/b'/>")},
        "2 agents: api_on_answer lua",
        WARNING,
        "not yet",
    ),
    (
        "all legs",
        globally("execute_on_answer=record_session /x.wav"),
        "2 agents: every leg, execute_on_answer record_session",
        BAD,
        "a global variable",
    ),
    # 3
    (
        "a user",
        {switch.DIRECTORY: directory('<variable name="user_record" value="all"/>')},
        "3 directory: user_record all",
        WARNING,
        "1001@pbx.example",
    ),
    (
        "asked",
        {switch.variable_of_user("1001@pbx.example", "user_record"): "inbound"},
        "3 directory: user_record inbound",
        WARNING,
        "1001@pbx.example",
    ),
    (
        "a variable",
        {switch.DIRECTORY: directory('<variable name="execute_on_answer" value="record_session /x"/>')},
        "3 directory: execute_on_answer record_session",
        WARNING,
        "",
    ),
    # 4
    ("recorded", action("record_session", "/x.wav"), "4 dialplan: default/local record_session", WARNING, "passed on"),
    (
        "by key",
        action("bind_meta_app", "2 b s record_session::/x.wav"),
        "4 dialplan: default/local record_session",
        WARNING,
        "by key",
    ),
    ("oreka", action("oreka_record", ""), "4 dialplan: default/local oreka_record", WARNING, ""),
    ("snapshot", action("snapshot", "start"), "4 dialplan: default/local snapshot", WARNING, ""),
    ("listens", action("eavesdrop", "all"), "4 dialplan: default/local eavesdrop", WARNING, "talks.taps"),
    (
        "command",
        action("set", "x=${uuid_record(${uuid} start /x)}"),
        "4 dialplan: default/local uuid_record",
        WARNING,
        "",
    ),
    # 5, 6, 7
    (
        "INFO",
        {SOFIA: profile('<param name="record-template" value="x.wav"/>')},
        "5 telephones: internal",
        WARNING,
        "INFO",
    ),
    (
        "conference",
        {
            switch.configuration("conference"): "<configuration><profiles><profile name='default'>"
            "<param name='auto-record' value='/x.wav'/></profile></profiles></configuration>"
        },
        "6 conferences: profile default",
        WARNING,
        "",
    ),
    (
        "now",
        {switch.CONFERENCES: '[{"conference_name": "x", "members": [{"type": "recording_node"}]}]'},
        "6 conferences: now",
        WARNING,
        "",
    ),
    ("auto", action("set", "conference_auto_record=/x.wav"), "6 conferences: default/local", WARNING, ""),
    ("fifo", globally("fifo_record_template=/x.wav"), "7 fifo: every call", WARNING, ""),
    # 8
    ("snapshot module", {switch.MODULES: loaded("mod_snapshot")}, "8 modules: mod_snapshot", WARNING, "tells nobody"),
    ("foreign", {switch.MODULES: loaded("mod_audio_fork")}, "8 modules: mod_audio_fork", WARNING, "own tree"),
    (
        "foreign command",
        {switch.APIS: rows({"name": "uuid_audio_stream", "ikey": "mod_x"})},
        "8 modules: uuid_audio_stream",
        WARNING,
        "",
    ),
    # 9
    (
        "copied",
        globally("record_post_process_exec_api=bgsystem:cp"),
        "9 elsewhere: record_post_process_exec_api",
        BAD,
        "",
    ),
    # 10, 11
    ("hangs up", globally("RECORD_HANGUP_ON_ERROR=true"), "10 recorders: RECORD_HANGUP_ON_ERROR", WARNING, "full disk"),
    ("in any case", globally("record_write_only=true"), "10 recorders: RECORD_WRITE_ONLY", WARNING, "one side"),
    ("minimum", globally("RECORD_MIN_SEC=60"), "10 recorders: RECORD_MIN_SEC", WARNING, "thrown away"),
    ("follows", globally("recording_follow_transfer=true"), "11 transfers: every call", WARNING, "another leg"),
    (
        "follows a user",
        {switch.DIRECTORY: directory('<variable name="recording_follow_transfer" value="true"/>')},
        "11 transfers: directory",
        WARNING,
        "",
    ),
    # 12
    (
        "past us",
        {switch.profile("internal"): sip(nomedia="true")},
        "12 media: internal inbound-bypass-media",
        BAD,
        "now",
    ),
    (
        "proxied",
        {SOFIA: profile('<param name="inbound-proxy-media" value="true"/>')},
        "12 media: internal inbound-proxy-media",
        BAD,
        "not yet",
    ),
    ("no keys", {switch.profile("internal"): sip(dtmf="none")}, "12 media: internal dtmf-type", BAD, "neither agree"),
    # 13
    (
        "2833",
        {SOFIA: profile('<param name="pass-rfc2833" value="true"/>')},
        "13 keys: internal pass-rfc2833",
        BAD,
        "*9",
    ),
    ("sensitive", globally("sensitive_dtmf=true"), "13 keys: sensitive_dtmf", BAD, "*9"),
    ("set", action("set", "sensitive_dtmf=true"), "13 keys: default/local", WARNING, "*9"),
    # 14
    ("log", logfile("console,debug,info,notice"), "14 log: logfile default", BAD, "card numbers"),
    ("all", logfile("all"), "14 log: logfile default", BAD, "card numbers"),
    (
        "after a restart",
        {**logfile("all"), switch.LOG: "info held\nsip internal silent"},
        "14 log: logfile default",
        BAD,
        "the next load brings it",
    ),
    (
        "syslog",
        {
            **logfile("notice"),
            switch.MODULES: loaded("mod_syslog"),
            switch.configuration("syslog"): settings('<param name="loglevel" value="info"/>'),
        },
        "14 log: syslog",
        BAD,
        "",
    ),
    (
        "as it was",
        logfile("notice") | {switch.LOG: "info passed\nlogfile default kept\nsip internal silent"},
        "14 log: logfile default",
        BAD,
        "as it is loaded now",
    ),
    # 15
    ("traced", {SOFIA: profile('<param name="sip-trace" value="yes"/>')}, "15 traces: internal sip-trace", BAD, ""),
    (
        "captured",
        {
            SOFIA: profile(
                '<param name="sip-capture" value="yes"/>',
                before="<global_settings><param name='capture-server' value='udp:10.0.0.1:9060'/></global_settings>",
            )
        },
        "15 traces: internal sip-capture",
        BAD,
        "",
    ),
    (
        "traced now",
        {switch.LOG: "info held\nlogfile default not-kept\nsip internal traced"},
        "15 traces: internal now",
        BAD,
        "that we sent",
    ),
    # 16
    (
        "multicast",
        {
            switch.MODULES: loaded("mod_event_multicast"),
            switch.configuration("event_multicast"): settings('<param name="bindings" value="all"/>'),
        },
        "16 events: mod_event_multicast",
        BAD,
        "in clear",
    ),
    ("broker", {switch.MODULES: loaded("mod_amqp")}, "16 events: mod_amqp", WARNING, "broker"),
    # 17
    (
        "records",
        {
            switch.MODULES: loaded("mod_cdr_csv"),
            switch.configuration("cdr_csv"): settings('<param name="debug" value="true"/>'),
        },
        "17 call records: mod_cdr_csv debug",
        WARNING,
        "",
    ),
    (
        "all variables",
        {switch.MODULES: loaded("mod_json_cdr"), switch.configuration("json_cdr"): settings("")},
        "17 call records: mod_json_cdr",
        WARNING,
        "crossed out",
    ),
    # 18
    (
        "ClueCon",
        {EVENT_SOCKET: settings('<param name="password" value="ClueCon"/>')},
        "18 event socket: password",
        BAD,
        "with the next load",
    ),
    ("no password", {EVENT_SOCKET: settings("")}, "18 event socket: password", BAD, "comes with"),
    (
        "wide",
        {
            EVENT_SOCKET: settings(
                '<param name="password" value="x y"/><param name="listen-ip" value="::"/>'
                '<param name="apply-inbound-acl" value="any"/>'
            ),
            switch.lets_in("192.0.2.1", "any"): "true",
            switch.lets_in("203.0.113.1", "any"): "true",
        },
        "18 event socket: access",
        BAD,
        "everybody",
    ),
]


@pytest.mark.parametrize(
    ("changed", "what", "level", "said"), [one[1:] for one in PLANTED], ids=[f"{one[2]} {one[0]}" for one in PLANTED]
)
def test_what_is_planted_is_found(changed: dict[str, str | None], what: str, level: Level, said: str) -> None:
    findings = {one.what: one for one in found(answers(**changed))}
    assert what in findings
    one = findings[what]
    assert one.level is level
    assert said in f"{one.said} {one.setting}"
    assert one.mend
    assert all(other.level is not Level.NOT_SEEN for other in findings.values())


def test_every_row_has_something_planted() -> None:
    assert {int(one[2].split()[0]) for one in PLANTED} == set(range(19))


@pytest.mark.parametrize(
    "changed",
    [
        loaded_queue("other@default", ""),
        loaded_queue("support@default", ""),
        loaded_queue("sales@default", "${consent_record_file}"),
        {CALLCENTER: callcenter(OURS + queue("other@default", ""))},
        loaded_queue("other@default", "${consent_record_file}"),
        action("record_session", "${consent_record_file}"),
        action("record_session", "/x.wav", condition='<condition field="${consent_no_record}" expression="^true$"/>'),
        action("set", "eavesdrop_indicate_failed=tone_stream://%(500, 0, 320)"),
        action("playback", "/sounds/record_session.wav"),
        action("set", "sensitive_dtmf=true", name="consentivr-agents"),
        globally("RECORD_STEREO=true"),
        globally("RECORD_APPEND=false"),
        globally("sensitive_dtmf=false"),
        {SOFIA: profile('<param name="sip-capture" value="yes"/>')},
        {SOFIA: profile('<param name="record-path" value="/rec"/>')},
        logfile("notice"),
        {switch.MODULES: loaded("mod_httapi", "mod_spy", "mod_fifo", "CORE_PCM_MODULE")},
        {switch.variable_of_user("1001@pbx.example", "user_record"): "none"},
        {EVENT_SOCKET: settings('<param name="listen-ip" value="::"/><param name="password" value="x y"/>')},
    ],
)  # fmt: skip
def test_what_is_harmless_is_not_found(changed: dict[str, str | None]) -> None:
    assert found(answers(**changed)) == []


# --- silence ---------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", [None, "", "-ERR permission denied", "INVALID COMMAND!", "-USAGE: x", "\n"])
@pytest.mark.parametrize("command", sorted({*WELL} - {switch.STATUS}))
def test_no_answer_is_never_good(command: str, silence: str | None) -> None:
    said = answers(**{command: silence})
    rows_of_it = [row.title for row in TABLE if command in (*row.asks, *row.more(answers(), WANTED))]
    levels = {one.what: one.level for one in judged(said, WANTED, "pbx")}
    if command == switch.configuration("xml_cdr"):
        assert found(said) == [], "the module is not loaded"
        return
    assert rows_of_it
    for row in TABLE:
        expected = Level.NOT_SEEN if row.title in rows_of_it else Level.GOOD
        assert levels[row.title] is expected


def test_who_may_ask_nothing_sees_nothing() -> None:
    asked = [*first_questions(), *questions(Answers({}))]
    everything = judged(Answers(dict.fromkeys(asked, "-ERR permission denied")), WANTED, "pbx")
    assert {one.what: one.level for one in everything} == {row.title: Level.NOT_SEEN for row in TABLE}
    nothing = judged(Answers({}), WANTED, "pbx")
    assert {one.level for one in nothing} == {Level.NOT_SEEN}
    assert "it was not asked" in nothing[0].said


@pytest.mark.parametrize("text", ["<broken", "{", "[1, 2]", "null", '{"response": null}', "<a></b>"])
def test_what_cannot_be_read_is_not_seen(text: str) -> None:
    for command in (switch.QUEUES, switch.DIALPLAN, switch.MODULES):
        said = answers(**{command: text})
        assert any(one.level is Level.NOT_SEEN and "cannot be read" in one.said for one in judged(said, WANTED, "pbx"))


def test_a_module_that_is_not_loaded_need_not_answer() -> None:
    there = ("mod_callcenter", "mod_sofia", "mod_commands")
    said = answers(
        **{
            switch.MODULES: rows(*({"ikey": name} for name in there)),
            switch.CONFERENCES: "INVALID COMMAND!",
            switch.configuration("conference"): None,
            switch.configuration("logfile"): None,
            switch.configuration("event_socket"): None,
        }
    )
    assert found(said) == []


def test_a_dialplan_that_is_made_call_by_call_is_not_seen() -> None:
    bound = settings('<param name="xml-handler-bindings" value="dialplan|directory"/>')
    findings = {one.what: one for one in found(answers(**{switch.configuration("lua"): bound}))}
    assert set(findings) == {"3 directory: other users", "4 dialplan: other contexts"}
    elsewhere = answers(**{switch.configuration("lua"): bound, switch.DIALPLAN: dialplan(line="")})
    assert "0 ours: consentivr-support" in {one.what for one in found(elsewhere) if one.level is Level.NOT_SEEN}
    assert {one.level for one in findings.values()} == {Level.NOT_SEEN}


def test_a_log_that_cannot_be_read_from_here_is_not_seen() -> None:
    (one,) = found(answers(**logfile("notice") | {switch.LOG: "info passed\nsip internal silent"}))
    assert (one.what, one.level) == ("14 log: logfile default", Level.NOT_SEEN)
    assert "fsctl loglevel notice" in one.mend


def test_a_module_that_the_list_lags_behind_with_is_there() -> None:
    lagging = rows(*({"ikey": f"mod_{name}"} for name in LOADED.split() if name != "callcenter"))
    said = answers(**{switch.MODULES: lagging, switch.is_loaded("mod_callcenter"): "true"})
    assert found(said) == []
    assert [one.what for one in found(answers(**{switch.MODULES: lagging}))] == ["1 queues: module"]


def test_what_no_call_can_do_without_is_missing() -> None:
    said = answers(**{switch.MODULES: rows({"ikey": "mod_commands"})})
    missing = [one.what for one in found(said) if one.level is Level.BAD]
    assert missing == ["1 queues: module", "12 media: module"]


# --- what a finding tells --------------------------------------------------------------------


def test_no_secret_and_no_number_is_told() -> None:
    said = answers(
        **loaded_queue("other@default", "shout://source:hackme@192.0.2.9/+4915112345678.mp3"),
        **globally("execute_on_answer=record_session /x/4915112345678.wav"),
        **{
            switch.AGENTS: response(
                {"name": "1", "contact": "{execute_on_answer='transfer 4915112345678'}sofia/gateway/a/b"}
            )
        },
    )
    text = str([one.as_dict() for one in judged(said, WANTED, "pbx")])
    for secret in ("hackme", "4915112345678", "geheim", "default_password"):
        assert secret not in text
    assert "9 elsewhere: callcenter.conf, queue other@default, record-template" in text


def test_what_somebody_answers_for_is_good_and_says_so() -> None:
    changed = {switch.MODULES: loaded("mod_cdr_csv"), switch.configuration("cdr_csv"): settings("")}
    (one,) = found(answers(**changed))
    wanted = replace(WANTED, known={one.what: "30 days, logrotate"})
    assert found(answers(**changed), wanted) == []
    (good,) = [two for two in judged(answers(**changed), wanted, "pbx") if two.what == one.what]
    assert good.level is Level.GOOD
    assert good.known == "30 days, logrotate"
    assert good.said == one.said


def test_where_it_is_written_can_be_looked_for() -> None:
    (one,) = found(answers(**globally("RECORD_APPEND=true")))
    assert one.element == Element("X-PRE-PROCESS", holds="RECORD_APPEND=")


def test_more_is_asked_once_it_is_known_of_whom() -> None:
    assert more_questions(answers(), WANTED) == [
        switch.user_is_there("1001@pbx.example"),
        switch.variable_of_user("1001@pbx.example", "user_record"),
        switch.profile("internal"),
    ]
    hostile = answers(**{switch.PROFILES: "<profiles><profile><name>a b;c</name></profile></profiles>"})
    assert switch.profile("internal") not in more_questions(hostile, WANTED), "a name that is no word is not sent"
