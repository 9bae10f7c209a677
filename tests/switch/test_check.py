"""``consentivr check --live`` on a real FreeSWITCH: what defeats consent is planted, found, and taken away again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from consentivr import switch
from consentivr.check import Answers, Finding, Level, ask, judged
from consentivr.config import Configuration
from consentivr.service.check import connected, of_switch, wanted_of
from consentivr.watch.rights import COMMANDS, EVENTS
from tests.switch.parts import eventually
from tests.switch.world import World

pytestmark = pytest.mark.freeswitch

Findings = dict[str, Finding]


@pytest.fixture(scope="module")
def world(configure_once: Callable[..., Configuration], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A switch that is looked at; nobody calls."""
    with World(configure_once(), tmp_path_factory.mktemp("world"), served=False) as made:
        mend(made)
        yield made


def conf(world: World) -> Path:
    return world.folder / "conf" / "freeswitch.xml"


def mend(world: World) -> None:
    """The lab's own traps away: what is left is as it should be."""
    text = conf(world).read_text()
    text = re.sub(
        r'<param name="record-(?:path|template)" value="[^"$]*[^"]*"/>(?=\s*(?:<param|</settings>))', "", text
    )
    text = re.sub(r'<param name="auto-record"[^>]*>', "", text)
    text = re.sub(r'<extension name="lab-(?:eavesdrop|user-recorded)[^"]*">.*?</extension>', "", text, flags=re.DOTALL)
    text = text.replace("debug,info,notice,warning,err,crit,alert", "notice,warning,err,crit,alert")
    conf(world).write_text(text)
    load(world, "reload mod_logfile", "sofia profile lab rescan")


def load(world: World, *commands: str) -> None:
    world.switch.api("reloadxml")
    for command in commands:
        world.switch.api(command)


def look(world: World) -> Findings:
    found = of_switch(world.configuration, world.configuration.switches[0])
    return {one.what: one for one in found if one.level is not Level.GOOD}


@contextmanager
def written(world: World, old: str, new: str, *commands: str) -> Iterator[None]:
    """Something else in the switch's file, and loaded; in the end as it was, and loaded again."""
    before = conf(world).read_text()
    assert old in before
    conf(world).write_text(before.replace(old, new, 1))
    load(world, *commands)
    try:
        yield
    finally:
        conf(world).write_text(before)
        load(world, *commands)


@contextmanager
def globally(world: World, name: str, value: str) -> Iterator[None]:
    world.switch.api(f"global_setvar {name}={value}")
    try:
        yield
    finally:
        world.switch.api(f"global_setvar {name}=")


def test_a_switch_as_it_should_be_has_no_finding(world: World) -> None:
    assert look(world) == {}
    good = of_switch(world.configuration, world.configuration.switches[0])
    assert len(good) == 19


def test_a_switch_that_takes_no_calls_is_not_judged(world: World) -> None:
    world.switch.api("fsctl pause")
    try:
        (one,) = look(world).values()
    finally:
        world.switch.api("fsctl resume")
    assert (one.what, one.level) == ("settings", Level.NOT_SEEN)
    assert "takes no calls now" in one.said


def test_0_what_we_render_is_not_what_the_switch_has(world: World) -> None:
    before = world.switch.api("global_getvar consent_secret")
    with globally(world, "consent_secret", "another"):
        assert {what: one.level for what, one in look(world).items()} == {"0 ours: secret": Level.BAD}
    world.switch.api(f"global_setvar consent_secret={before}")
    (line,) = re.findall(r'<X-PRE-PROCESS [^>]*00_consentivr.xml"/>', conf(world).read_text())
    with written(world, line, ""):
        assert set(look(world)) == {"0 ours: consentivr-support", "0 ours: consentivr-sales"}
    assert look(world) == {}


@pytest.mark.parametrize(
    ("name", "value", "what", "level"),
    [
        (
            "execute_on_answer",
            "record_session /tmp/x.wav",
            "2 agents: every leg, execute_on_answer record_session",
            "bad",
        ),
        ("conference_auto_record", "/tmp/x.wav", "6 conferences: every call", "warning"),
        ("fifo_record_template", "/tmp/x.wav", "7 fifo: every call", "warning"),
        ("record_post_process_exec_api", "bgsystem:true", "9 elsewhere: record_post_process_exec_api", "bad"),
        ("RECORD_HANGUP_ON_ERROR", "true", "10 recorders: RECORD_HANGUP_ON_ERROR", "warning"),
        ("record_min_sec", "30", "10 recorders: RECORD_MIN_SEC", "warning"),
        ("recording_follow_transfer", "true", "11 transfers: every call", "warning"),
        ("bypass_media", "true", "12 media: bypass_media", "bad"),
        ("sensitive_dtmf", "true", "13 keys: sensitive_dtmf", "bad"),
        ("pass_rfc2833", "true", "13 keys: pass_rfc2833", "bad"),
    ],
)
def test_a_global_variable(world: World, name: str, value: str, what: str, level: str) -> None:
    with globally(world, name, value):
        findings = look(world)
    assert list(findings) == [what]
    assert findings[what].level.value == level
    assert name.casefold() in findings[what].mend.casefold()
    assert look(world) == {}


QUEUE = '<queue name="other@default"><param name="record-template" value="{}"/></queue>\n      </queues>'


def test_1_a_queue_as_it_is_loaded_and_as_the_next_load_gives_it(world: World) -> None:
    queues, load_it = "</queues>", "callcenter_config queue load other@default"
    with written(world, queues, QUEUE.format(""), load_it):
        assert look(world) == {}, "nothing is what FreeSWITCH makes of an empty one"
    world.switch.api("callcenter_config queue unload other@default")
    with written(world, queues, QUEUE.format("/tmp/${uuid}.wav")):
        (one,) = look(world).values()
        assert (one.what, one.level) == ("1 queues: other@default", Level.WARNING)
        assert "not yet, but the next load brings it" in one.said
        assert (one.file, one.line) == (str(conf(world)), line_of(world, "/tmp/${uuid}.wav"))
        world.switch.api(load_it)
        (one,) = look(world).values()
        assert "now, and after the next load" in one.said
    (one,) = look(world).values()
    assert "as it is loaded now; the next load takes it away" in one.said
    world.switch.api("callcenter_config queue unload other@default")
    assert look(world) == {}


def test_1_a_queue_of_ours_is_not_loaded(world: World) -> None:
    world.switch.api("callcenter_config queue unload sales@default")
    try:
        assert {what: one.level for what, one in look(world).items()} == {"1 queues: sales@default": Level.BAD}
    finally:
        world.switch.api("callcenter_config queue load sales@default")


def line_of(world: World, text: str) -> int:
    return next(n for n, line in enumerate(conf(world).read_text().splitlines(), 1) if text in line)


def test_2_an_agents_contact(world: World) -> None:
    agents = json_agents(world)
    contact = agents["1001@default"]
    set_it = "callcenter_config agent set contact 1001@default"
    world.switch.api(f"{set_it} {{execute_on_answer=record_session:/tmp/x.wav}}{contact.partition(']')[2]}")
    try:
        (one,) = look(world).values()
    finally:
        world.switch.api(f"{set_it} {contact}")
    assert (one.what, one.level) == ("2 agents: execute_on_answer record_session", Level.BAD)
    assert "the next load takes it away" in one.said


def json_agents(world: World) -> dict[str, str]:
    rows = Answers({switch.AGENTS: world.switch.api(switch.AGENTS)}).rows(switch.AGENTS)
    return {row["name"]: row["contact"] for row in rows}


@pytest.mark.parametrize(
    ("old", "new", "what", "level"),
    [
        (
            '<user id="2001">',
            '<user id="2001"><variables><variable name="user_record" value="all"/></variables>',
            "3 directory: user_record all",
            "warning",
        ),
        (
            '<extension name="lab-user">',
            '<extension name="key"><condition>'
            '<action application="bind_meta_app" data="2 b s record_session::/tmp/x.wav"/>'
            '</condition></extension><extension name="lab-user">',
            "4 dialplan: public/key record_session",
            "warning",
        ),
        (
            '<param name="rfc2833-pt" value="101"/>',
            '<param name="rfc2833-pt" value="101"/><param name="record-template" value="x.wav"/>',
            "5 telephones: lab",
            "warning",
        ),
        (
            '<profile name="default">\n          <param name="rate"',
            '<profile name="default"><param name="auto-record" value="/tmp/x.wav"/><param name="rate"',
            "6 conferences: profile default",
            "warning",
        ),
        (
            '<param name="rfc2833-pt" value="101"/>',
            '<param name="inbound-proxy-media" value="true"/>',
            "12 media: lab inbound-proxy-media",
            "bad",
        ),
        (
            '<param name="rfc2833-pt" value="101"/>',
            '<param name="rfc2833-pt" value="101"/><param name="pass-rfc2833" value="true"/>',
            "13 keys: lab pass-rfc2833",
            "bad",
        ),
        (
            '<param name="rfc2833-pt" value="101"/>',
            '<param name="rfc2833-pt" value="101"/><param name="sip-trace" value="yes"/>',
            "15 traces: lab sip-trace",
            "bad",
        ),
    ],
    ids=lambda value: value if str(value)[:1].isdigit() else "",
)
def test_in_a_file(world: World, old: str, new: str, what: str, level: str) -> None:
    with written(world, old, new):
        findings = look(world)
        line = line_of(
            world, new.splitlines()[0].partition('<param name="rfc2833-pt" value="101"/>')[2] or new.splitlines()[0]
        )
    assert list(findings) == [what]
    one = findings[what]
    assert (one.level.value, one.file) == (level, str(conf(world)))
    assert one.line is not None
    assert abs(one.line - line) <= 1
    assert one.mend
    assert look(world) == {}


def test_12_a_profile_as_it_is_loaded(world: World) -> None:
    extra = (
        '<profile name="past"><settings><param name="sip-ip" value="127.0.0.1"/>'
        '<param name="rtp-ip" value="127.0.0.1"/>'
        f'<param name="sip-port" value="{world.switch.sip_port + 1}"/><param name="inbound-bypass-media" value="true"/>'
        '</settings></profile><profile name="lab">'
    )
    with written(world, '<profile name="lab">', extra):
        world.switch.api("sofia profile past start")
        eventually(lambda: "past" in world.switch.api("sofia xmlstatus"))
        assert "now, and after the next load" in look(world)["12 media: past inbound-bypass-media"].said
    assert "as it is loaded now" in look(world)["12 media: past inbound-bypass-media"].said
    eventually(lambda: "stopping" in world.switch.api("sofia profile past stop"))  # not before it has run for 10 s
    eventually(lambda: "past" not in world.switch.api("sofia xmlstatus"))
    assert look(world) == {}


def test_14_keys_in_the_log_as_it_is_loaded_and_as_the_next_load_gives_it(world: World) -> None:
    quiet, loud = "notice,warning,err,crit,alert", "info,notice,warning,err,crit,alert"
    with written(world, quiet, loud):
        assert "not yet, but the next load brings it" in look(world)["14 log: logfile default"].said
        world.switch.api("reload mod_logfile")
        one = look(world)["14 log: logfile default"]
        assert (one.level, one.line) == (Level.BAD, line_of(world, loud))
        assert "now, and after the next load" in one.said
    assert "as it is loaded now; the next load takes it away" in look(world)["14 log: logfile default"].said
    world.switch.api("reload mod_logfile")
    assert look(world) == {}


def test_14_a_switch_that_lets_no_key_through(world: World) -> None:
    """What ``fsctl loglevel`` says is never asked: asking would switch the log off (FREESWITCH.md, section 14)."""
    with written(world, '"notice,warning', '"info,notice,warning', "reload mod_logfile", "fsctl loglevel notice"):
        one = look(world)["14 log: logfile default"]
        assert "not yet, but the next load brings it" in one.said
    world.switch.api("fsctl loglevel debug")
    assert look(world) == {}


def test_15_a_trace_that_was_switched_on(world: World) -> None:
    world.switch.api("sofia global siptrace on")
    try:
        (one,) = look(world).values()
    finally:
        world.switch.api("sofia global siptrace off")
    assert (one.what, one.level) == ("15 traces: lab now", Level.BAD)
    assert look(world) == {}


@pytest.mark.parametrize(
    ("module", "what", "level"),
    [
        ("mod_snapshot", "8 modules: mod_snapshot", "warning"),
        ("mod_event_multicast", "16 events: mod_event_multicast", "bad"),
        ("mod_cdr_csv", "17 call records: mod_cdr_csv", "warning"),
        ("mod_json_cdr", "17 call records: mod_json_cdr", "warning"),
    ],
)
def test_a_module(world: World, module: str, what: str, level: str) -> None:
    if not world.switch.has_module(module):
        pytest.skip(f"this FreeSWITCH has no {module}")
    name = module.removeprefix("mod_")
    inside = '<settings><param name="address" value="225.1.1.1"/><param name="bindings" value="all"/></settings>'
    text = f'<configuration name="{name}.conf">{inside}<templates/></configuration><configuration name="acl.conf">'
    with written(world, '<configuration name="acl.conf">', text):
        assert "+OK" in world.switch.api(f"load {module}")
        try:
            eventually(lambda: module in world.switch.api("show modules"))
            findings = look(world)
        finally:
            world.switch.api(f"unload {module}")
    assert findings[what].level.value == level
    eventually(lambda: module not in world.switch.api("show modules"))
    assert look(world) == {}


def test_18_the_event_socket(world: World) -> None:
    with written(world, f'value="{world.switch.password}"', 'value="ClueCon"'):
        (one,) = look(world).values()
        assert (one.what, one.level) == ("18 event socket: password", Level.BAD)
        assert "with the next load" in one.said
    port = f'<param name="listen-port" value="{world.switch.event_socket_port}"/>'
    here = f'<param name="listen-ip" value="127.0.0.1"/>\n      {port}'
    with (
        written(world, '<list name="lab" default="deny">', '<list name="lab" default="allow">', "reloadacl"),
        written(world, here, here.replace("127.0.0.1", "0.0.0.0")),
    ):
        (one,) = look(world).values()
        assert (one.what, one.level) == ("18 event socket: access", Level.BAD)
    assert look(world) == {}


ACCOUNT = """<domain name="consentivr.invalid"><groups><group name="all"><users><user id="watch"><params>
  <param name="esl-password" value="few rights"/><param name="esl-allowed-events" value="{events}"/>
  <param name="esl-allowed-api" value="{commands}"/><param name="esl-allowed-log" value="false"/>
</params></user></users></group></groups></domain>
  <domain name="lab.example">"""


def test_an_account_with_few_rights_says_what_it_does_not_see(world: World, tmp_path: Path) -> None:
    """And whoever may read the switch's own files sees all."""
    secret = tmp_path / "account.password"
    secret.write_text("few rights")
    secret.chmod(0o600)
    (ours,) = world.configuration.switches
    account = ours.changed(user="watch@consentivr.invalid", password_file=secret)
    with written(world, '<domain name="lab.example">', ACCOUNT.format(events=EVENTS, commands=COMMANDS)):
        wanted = wanted_of(world.configuration, account)
        levels = {one.what: one.level for one in judged(ask(partial(connected, account), wanted), wanted, "pbx")}
        seen = ["8 modules", "10 recorders", "16 events", "17 call records"]
        assert [what for what, level in levels.items() if level is Level.GOOD] == seen
        assert set(levels.values()) == {Level.GOOD, Level.NOT_SEEN}
        hears = connected(account)
        assert hears.send(f"event json {' '.join(switch.LOADS)}").is_accepted
        hears.stop()
        with globally(world, "sensitive_dtmf", "true"):
            some = judged(ask(partial(connected, account), wanted), wanted, "pbx")
            assert "13 keys: sensitive_dtmf" in {one.what for one in some if one.level is Level.BAD}
        assert {one.level for one in of_switch(world.configuration, account)} == {Level.GOOD}
