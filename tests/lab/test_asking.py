"""The simulated switch while a caller is asked: the dialplan that we render, the outbound socket, keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import gevent.socket
import pytest
from gevent.server import StreamServer

from consentivr.config import Configuration
from consentivr.esl.codec import Decoder
from consentivr.lab.caller import Caller
from consentivr.lab.dialplan import cond, expand
from consentivr.lab.laboratory import Laboratory, simulated_switch
from consentivr.lab.switch import Channel, SimulatedSwitch
from tests.lab.talks import SPEED, ended, passes
from tests.waiting import until

EVENTS = ["linger 10", "myevents json", "event json RECORD_START RECORD_STOP", "nixevent CHANNEL_STATE"]


def sendmsg(application: str, argument: str = "", name: str = "") -> str:
    named = f"\nEvent-UUID: {name}" if name else ""
    return f"sendmsg\ncall-command: execute\nexecute-app-name: {application}\nexecute-app-arg: {argument}{named}"


class Application:
    """An application without a will of its own: the test says what it says."""

    def __init__(self) -> None:
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.sockets: list = []
        self.channels: list[dict] = []
        self.events: list[dict] = []
        self.answers: list[str] = []
        self.replies: list[str] = []
        self.over = 0

    def _serve(self, sock: gevent.socket.socket, peer: object) -> None:
        self.sockets.append(sock)
        decoder = Decoder()
        sock.sendall(b"connect\n\n")
        try:
            while data := sock.recv(65536):
                decoder.feed(data)
                while (message := decoder.next_message()) is not None:
                    if message.content_type == "text/event-json":
                        self.events.append(json.loads(message.body))
                    elif message.content_type == "api/response":
                        self.answers.append(message.body.decode())
                    elif len(self.channels) < len(self.sockets):
                        self.channels.append(dict(message.headers))
                    elif message.content_type == "command/reply":
                        self.replies.append(message.reply_text)
        except OSError:
            pass
        self.over += 1

    def say(self, *commands: str) -> None:
        self.sockets[-1].sendall("".join(f"{command}\n\n" for command in commands).encode())

    def done(self, name: str) -> Callable[[], dict | None]:
        """The COMPLETE of a command that was given this Event-UUID."""
        return lambda: next(
            (
                event
                for event in self.events
                if event.get("Application-UUID") == name and event["Event-Name"].endswith("COMPLETE")
            ),
            None,
        )

    def told(self) -> list[tuple[str, str]]:
        return [(event["Event-Name"], event.get("Application", "")) for event in self.events]

    def keys(self) -> str:
        return "".join(event["DTMF-Digit"] for event in self.events if event["Event-Name"] == "DTMF")


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    yield made
    made._server.stop()


@pytest.fixture
def asked(configure: Callable[..., Configuration], application: Application) -> SimulatedSwitch:
    return rendered(configure(), application)


def rendered(configuration: Configuration, application: Application) -> SimulatedSwitch:
    asked_there = configuration.changed(service=configuration.service.changed(hosts=[application.host]))
    return simulated_switch(asked_there, speed=SPEED)


def arrives(switch: SimulatedSwitch, application: Application, **script: object) -> Channel:
    caller = switch.call("5000", Caller(**{"waits_ms": 200, "talks_ms": 1_000_000, **script}))
    until(lambda: application.channels)
    application.say(*EVENTS)
    return caller


# --- the dialplan ----------------------------------------------------------------------------


def test_functions_within_functions() -> None:
    asked: list[tuple[str, str]] = []

    def functions(name: str, arguments: str) -> str:
        asked.append((name, arguments))
        return cond(arguments) if name == "cond" else "<${x}>"

    variables = {"x": "1", "y": "2", "text": "${x}"}
    assert expand("a${x}b${unset}c", variables, functions) == "a1bc"
    assert expand("${text}", variables, functions) == "${x}", "what a variable held is not expanded again"
    assert expand("${f(+20 g-${x} h ${y})} ${z", variables, functions) == "<${x}> ${z"
    assert asked == [("f", "+20 g-1 h 2")]
    assert expand("${cond(x${x} == x${y} ? same : other)}", variables, functions) == "other"
    assert expand("${cond(x${unset} == x${gone} ? same : other)}", variables, functions) == "same"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("1 == 1.0 ? yes : no", "yes"),
        ("a == b ? yes : no", "no"),
        ("a != b ? yes", "yes"),
        ("a == b ? yes", ""),
        ("'a b' == 'a b' ? yes : no", "yes"),
        ("nonsense", "-ERR"),
    ],
)
def test_cond(said: str, answer: str) -> None:
    assert cond(said) == answer


def test_the_dialplan_arms_a_watchdog_of_its_own(asked: SimulatedSwitch, application: Application) -> None:
    caller = arrives(asked, application)
    group, command = asked.schedule.commands[0]
    assert (group, command) == (
        f"consentivr-{caller.uuid}",
        f"uuid_transfer {caller.uuid} consentivr-fallback-support XML public",
    )
    (channel,) = application.channels
    assert channel["variable_consent_watchdog"] == "+OK Added: 1\n"
    assert channel["variable_consent_line"] == "support"
    assert channel["variable_consent_no_record"] == "true"
    assert channel["variable_consent_record_file"] == f"/dev/null/no-record/{caller.uuid}.wav"
    assert channel["variable_sip_disable_recording"] == "true"
    assert "variable_consent_visit" not in channel
    ended(caller)


def test_an_application_that_hangs_loses_the_call_to_the_queue(
    asked: SimulatedSwitch, application: Application
) -> None:
    caller = arrives(asked, application)
    until(lambda: caller.reached, seconds=10)
    assert asked.schedule.commands == [], "the fallback takes it off"
    until(lambda: caller.bridge)
    ended(caller)


def test_a_timer_of_somebody_else_stays(asked: SimulatedSwitch, application: Application) -> None:
    caller = arrives(asked, application)
    asked.api(f"sched_api +600 {caller.uuid} uuid_kill {caller.uuid}")
    application.say(f"api sched_del consentivr-{caller.uuid}")
    until(lambda: application.answers)
    assert application.answers == ["+OK Deleted: 1\n"]
    assert len(asked.schedule.commands) == 1
    ended(caller)


def test_another_visit_is_another_visit(asked: SimulatedSwitch, application: Application) -> None:
    caller = arrives(asked, application)
    application.say(
        f"api sched_del consentivr-{caller.uuid}",
        sendmsg("multiset", "^^|consent_handled=true|consent_visit=one|consent_decision=given"),
        sendmsg("callcenter", "support@default"),
    )
    until(lambda: caller.bridge)
    first = caller.variables["cc_queue_joined_epoch"]
    caller.transfer("5000")
    until(lambda: len(application.channels) == 2)
    again = application.channels[1]
    assert again["variable_consent_joined_before"] == first
    assert again["variable_consent_handled"] == "false"
    assert "variable_consent_visit" not in again
    assert "variable_consent_decision" not in again
    application.sockets[-1].close()
    until(lambda: len(caller.reached) == 2)
    until(lambda: caller.bridge)
    assert caller.agent is not None
    caller.agent.hang_up()
    until(lambda: caller.over)
    assert len(caller.reached) == 2, "an unhandled visit ends where it is"


def test_a_line_by_law_sets_stereo(configure: Callable[..., Configuration], application: Application) -> None:
    switch = rendered(configure("permanent", legal_basis="MiFID II art. 16(7)"), application)
    caller = arrives(switch, application)
    assert application.channels[0]["variable_RECORD_STEREO"] == "true"
    assert "variable_consent_no_record" not in application.channels[0]
    ended(caller)


# --- leaving the socket ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "exit"])
@pytest.mark.parametrize("when", ["waits", "talks"])
def test_the_socket_is_closed_and_the_caller_stays(
    asked: SimulatedSwitch, application: Application, how: str, when: str
) -> None:
    caller = arrives(asked, application, waits_ms=1000)
    application.say(
        f"api sched_del consentivr-{caller.uuid}",
        sendmsg("set", "consent_handled=true"),
        sendmsg("callcenter", "support@default"),
    )
    until(lambda: caller.bridge if when == "talks" else caller.reached)
    until(lambda: ("CHANNEL_EXECUTE", "callcenter") in application.told())
    application.say("exit") if how == "exit" else application.sockets[-1].close()
    until(lambda: caller.outbound is None)
    until(lambda: caller.bridge)
    passes(asked, 300)
    assert caller.bridge
    assert caller.agent is not None
    caller.agent.hang_up()
    until(lambda: caller.over)
    assert caller.reached == ["support@default"], "the dialplan goes on, and does not queue again"
    assert caller.applications[-1] == "hangup"


def test_the_queue_times_out_after_the_socket_was_closed(asked: SimulatedSwitch, application: Application) -> None:
    caller = arrives(asked, application, waits_ms=500, agent=None)
    application.say(sendmsg("set", "consent_handled=true"), sendmsg("callcenter", "support@default"))
    until(lambda: caller.reached)
    application.sockets[-1].close()
    until(lambda: caller.over)
    assert caller.applications[-2:] == ["playback", "hangup"], "the dialplan says that nobody was there"


def test_a_command_that_comes_while_the_queue_waits_is_lost(asked: SimulatedSwitch, application: Application) -> None:
    caller = arrives(asked, application, waits_ms=1000, agent=None)
    application.say(sendmsg("callcenter", "support@default", "queue"))
    until(lambda: caller.reached)
    application.say(sendmsg("set", "lost=1"), f"api uuid_setvar {caller.uuid} heard 1")
    until(application.done("queue"))
    passes(asked, 100)
    assert "lost" not in caller.variables
    assert caller.variables["heard"] == "1"
    ended(caller)


# --- keys ------------------------------------------------------------------------------------


def test_keys_while_an_announcement_plays(asked: SimulatedSwitch, application: Application, sounds: Path) -> None:
    caller = arrives(asked, application)
    sound = str(sounds / "de/8000/question.wav")
    application.say(
        sendmsg("answer"),
        sendmsg("set", "playback_terminators=none"),
        sendmsg("playback", sound, "whole"),
        sendmsg("set", "playback_terminators=any"),
        sendmsg("playback", sound, "cut"),
    )
    until(lambda: caller.applications[-1] == "playback")
    caller.press("5")
    until(lambda: application.keys() == "5")
    assert not application.done("whole")(), "none: it plays on"
    until(application.done("whole"))
    caller.press("9")
    until(application.done("cut"))
    assert caller.variables["playback_terminator_used"] == "9"
    assert int(caller.variables["playback_last_offset_pos"]) < 8000
    ended(caller)


def test_two_keys_in_the_same_breath(asked: SimulatedSwitch, application: Application, sounds: Path) -> None:
    """The second is told when the next application takes it, or is flushed."""
    caller = arrives(asked, application)
    sound = str(sounds / "de/8000/question.wav")
    question = f"1 1 1 1000 # {sound} silence_stream://10 answer [19] 1000"
    application.say(
        sendmsg("answer"),
        sendmsg("play_and_get_digits", question, "asked"),
        sendmsg("sleep", "1000", "slept"),
        sendmsg("play_and_get_digits", question, "again"),
    )
    until(lambda: "play_and_get_digits" in caller.applications)
    caller.press("1")
    caller.press("9")
    until(application.done("asked"))
    assert application.done("asked")()["variable_answer"] == "1"
    until(application.done("again"))
    assert application.done("again")()["variable_answer"] == "9", "typed before, it even ended the sleep"
    assert application.keys() == "19"
    ended(caller)


def test_flush_dtmf(asked: SimulatedSwitch, application: Application, sounds: Path) -> None:
    caller = arrives(asked, application)
    question = f"1 1 1 200 # {sounds / 'de/8000/question.wav'} silence_stream://10 answer [19] 200"
    application.say(
        sendmsg("answer"),
        sendmsg("play_and_get_digits", question, "first"),
        sendmsg("flush_dtmf"),
        sendmsg("play_and_get_digits", question, "second"),
    )
    until(lambda: "play_and_get_digits" in caller.applications)
    for key in "199":
        caller.press(key)
    until(application.done("second"))
    assert "variable_answer" not in application.done("second")()
    assert application.keys() == "1"
    ended(caller)


def test_filters_and_nixed_events(asked: SimulatedSwitch, application: Application) -> None:
    caller = arrives(asked, application)
    application.say(
        "nixevent DTMF CHANNEL_EXECUTE",
        f"filter Unique-ID {caller.uuid}",
        "filter Application -set",
        sendmsg("set", "a=1", "quiet"),
        sendmsg("answer", "", "loud"),
    )
    caller.press("1")
    until(application.done("loud"))
    assert not application.done("quiet")()
    assert "CHANNEL_EXECUTE" not in [name for name, _ in application.told()]
    assert application.keys() == ""
    application.say("event json DTMF")
    passes(asked, 100)
    caller.press("2")
    until(lambda: application.keys() == "2")
    ended(caller)
    until(lambda: ("CHANNEL_HANGUP_COMPLETE", "") in application.told())


# --- the laboratory --------------------------------------------------------------------------


def test_the_laboratory_has_an_event_socket(configure: Callable[..., Configuration], tmp_path: Path) -> None:
    more = """<context><extension name="far"><condition field="destination_number" expression="^2001$">
    <action application="bridge" data="user/2001@127.0.0.1"/></condition></extension></context>"""
    with Laboratory(configure(), tmp_path, speed=SPEED, more=more) as laboratory:
        until(lambda: laboratory.event_socket.connections == 1)
        secret = tmp_path / "event-socket-password"
        assert secret.stat().st_mode & 0o777 == 0o600
        laboratory.use_switch("127.0.0.1:1")
        caller = laboratory.switch.call("5000", Caller(waits_ms=100, talks_ms=1_000_000))
        until(lambda: caller.bridge)
        caller.transfer("2001")
        until(lambda: caller.partner and caller.partner.role == "colleague")
        assert laboratory.switch.listeners, "the new switch has the same socket"
        ended(caller)
