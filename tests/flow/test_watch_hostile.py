"""Whoever reaches the ports, or writes the texts: no call, no file and no row of another is touched (P5, P7, P9)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest

from consentivr.core.foreign import is_name
from consentivr.esl.codec import Decoder
from consentivr.lab.simulated import words
from consentivr.lab.switch import Channel
from tests.esl.peers import proven
from tests.flow.talks import NO, SUPPORT, YES, Talks, press, stays
from tests.ledgers import whole
from tests.waiting import until

Make = Callable[..., Talks]


class Peer:
    """Somebody on loopback who says to be a switch with a call, on a socket of its own."""

    def __init__(self, talks: Talks, like: Channel) -> None:
        self._sock = gevent.socket.create_connection(talks.application.address, timeout=5)
        lines = [f"{name}: {_plain(value)}" for name, value in like.headers("CHANNEL_DATA").items()]
        self._connected = ("\n".join([*lines, "Content-Type: command/reply", "Reply-Text: %2BOK%0A"]) + "\n\n").encode()
        self._connected = proven(self._connected, talks.configuration)  # it has read what the dialplan said
        self.said: list[str] = []
        self.closed = False
        self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        buffer = b""
        try:
            while data := self._sock.recv(65536):
                *blocks, buffer = (buffer + data).split(b"\n\n")
                for block in blocks:
                    self.said.append(block.decode())
                    if block == b"connect":
                        self._sock.sendall(self._connected)
                    elif block.startswith(b"api"):
                        self._sock.sendall(words.api_response("+OK\n"))
                    else:
                        self._sock.sendall(words.reply("+OK"))
        except OSError:
            pass
        self.closed = True

    def end(self) -> None:
        self._greenlet.kill()
        self._sock.close()


def _plain(value: Any) -> str:
    return words.switch_url_encode(value if isinstance(value, str) else "|".join(value))


def recorded(made: Talks) -> tuple[Channel, str]:
    """A talk that is recorded, and its file."""
    channel = made.recorded()
    (path,) = channel.recorders
    return channel, path


# --- a second connection with the UUID of somebody else's call -------------------------------


def test_p9_of_a_call_that_is_being_asked(talks: Make) -> None:
    made = talks(speed=5)
    from consentivr.lab.caller import Caller

    channel = made.switch.call(SUPPORT, Caller(keys=YES, talks_ms=10_000_000))
    until(lambda: "play_and_get_digits" in channel.applications)
    peer = Peer(made, channel)
    until(lambda: peer.closed, why=lambda: peer.said)
    assert not any("execute" in said for said in peer.said), "refused"
    until(lambda: channel.bugs_in_talk)
    until(lambda: channel.recorders, why="the real call goes on")
    made.switch.speed = 20
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert said.count("recording_started") == 1
    peer.end()


@pytest.mark.parametrize("says", ["nothing", "hangs up"])
def test_p9_of_a_talk_that_goes_on(talks: Make, says: str) -> None:
    made = talks()
    channel, path = recorded(made)
    visit = made.visit(channel)
    peer = Peer(made, channel)
    if says == "hangs up":
        peer.end()
    else:
        until(lambda: peer.closed, why=lambda: peer.said)
        assert not any("execute" in said for said in peer.said), "refused"
    stays(lambda: list(channel.recorders) == [path] and made.visit(channel) is visit, 0.3)
    press(channel, "*9")
    until(lambda: not channel.recorders)
    peer.end()
    channel.hang_up()
    until(lambda: channel.over)
    until(lambda: "call_ended" in made.turns(channel))
    assert visit is not None
    mine = [row.turn for row in made.rows(channel) if row.visit == visit.ref.visit]
    for turn in ("arrived", "decision", "withdrawn", "call_ended", "recording_stopped"):
        assert mine.count(turn) == 1, mine
    assert made.incidents == 0


# --- somebody else's files -------------------------------------------------------------------


def test_p5_a_forged_report_of_somebody_elses_file(talks: Make) -> None:
    """A leg of the caller who said no is said to be recorded to the other caller's file, which is on hold."""
    made = talks()
    yes, path = recorded(made)
    no = made.talking(NO)
    no.event("RECORD_START", {"Record-File-Path": path})
    no.event("MEDIA_BUG_START", {"Media-Bug-Function": "session_record", "Media-Bug-Target": path})
    gevent.sleep(0.5)
    assert yes.recorders, "it is recorded on"
    made.ended(no)
    said = made.ended(yes)
    assert Path(path).exists()
    assert list(made.sealed(yes)) == [path]
    assert not {"forbidden_recording", "recording_erased", "quarantined"} & set(said)
    assert "recording_erased" not in made.turns(no)


@pytest.mark.parametrize("whose", ["another visit's", "a precious file", "a file of others"])
def test_p5_what_is_erased_and_what_is_not(talks: Make, whose: str) -> None:
    made = talks()
    channel = made.talking(NO)
    path = {
        "another visit's": made.folder / "recordings/2026/11/24" / f"{uuid.uuid4()}.wav",
        "a precious file": made.folder / "precious.wav",
        "a file of others": made.foreign(),
    }[whose]
    channel.record_without_asking(str(path), agent=True)
    until(lambda: not channel.agent_recorders, 1)
    made.sees(channel, "forbidden_recording")
    if whose == "another visit's":
        (away,) = made.sees(channel, "quarantined")
        assert Path(away["to"]).exists()
        assert not path.exists()
    elif whose == "a file of others":
        made.sees(channel, "recording_erased")
        until(lambda: not path.exists())
    else:
        gevent.sleep(0.3)
        assert path.exists(), "a path that a switch names is no licence to delete"
    channel.hang_up()
    until(lambda: "call_ended" in made.turns(channel))
    assert ("recording_erased" in made.turns(channel)) == (whose == "a file of others")


# --- texts -----------------------------------------------------------------------------------

TEXTS = [
    "a b", "a'b", 'a"b', "a;b=c", "${sched_api(+1 none hupall)}", "a\nb: c", "a\r\n\r\nfilter Unique-ID x",
    "a%0Aapi hupall",
    "\\", "\x00", "é\ud800", "x" * 5000, "../../../etc/passwd", "/tmp/a b.wav", "<target>/x</target>", "|cancel", "",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_p7_a_text_in_every_header_is_only_text(talks: Make, text: str) -> None:
    """Of the stream's events: names, paths, agents, queues, conferences; nothing follows but rows that quote it."""
    made = talks()
    channel, _ = recorded(made)
    before = len(made.commands)
    for event in _events(made, channel, text):
        made.switch.publish(event)
    gevent.sleep(0.3)
    for command in made.commands[before:]:
        assert "\n" not in command
        assert "${" not in command
        assert "hupall" not in command
        assert not (text and len(text) > 2 and text in command), command
    assert channel.recorders
    assert made.watch._following is not None
    press(channel, "*9")
    made.sees(channel, "withdrawn")
    channel.hang_up()
    until(lambda: "call_ended" in made.turns(channel))
    whole(made.folder / "ledger.sqlite3")


def _events(made: Talks, channel: Channel, text: str) -> list[dict[str, Any]]:
    whole_ = dict(channel.headers("CHANNEL_BRIDGE"))
    other = str(uuid.uuid4())
    lists = {name: [text, text] for name in ("variable_a", "Caller-Caller-ID-Name", "variable_consent_visit")}
    return [
        {**whole_, **lists, "Event-Name": "DTMF", "DTMF-Digit": text},
        {**whole_, "Event-Name": "CHANNEL_HOLD", "Unique-ID": text},
        {**whole_, "Event-Name": "CHANNEL_BRIDGE", "Bridge-A-Unique-ID": text, "Bridge-B-Unique-ID": other},
        {**whole_, "Event-Name": "CHANNEL_UNBRIDGE", "Bridge-A-Unique-ID": text, "Bridge-B-Unique-ID": text},
        {**whole_, "Event-Name": "RECORD_STOP", "Record-File-Path": text, "variable_record_ms": text},
        {**whole_, "Event-Name": "MEDIA_BUG_START", "Unique-ID": other, "Media-Bug-Function": text},
        {**whole_, "Event-Name": "MEDIA_BUG_START", "Media-Bug-Function": "session_record", "Media-Bug-Target": text},
        {**whole_, "Event-Name": "MEDIA_BUG_STOP", "Media-Bug-Function": "session_record", "Media-Bug-Target": text},
        {**whole_, "Event-Name": "CHANNEL_HANGUP_COMPLETE", "Unique-ID": text, "Hangup-Cause": text},
        {
            **whole_, "Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": "member-queue-start",
            "CC-Queue": text, "CC-Member-Session-UUID": text or other, "variable_consent_line": text,
            "variable_consent_visit": text, "variable_consent_decision": text,
        },
        {
            **whole_, "Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": "bridge-agent-start",
            "CC-Agent": text, "CC-Agent-UUID": other, "CC-Member-Session-UUID": other,
        },
        {
            **whole_, "Event-Name": "CUSTOM", "Event-Subclass": "conference::maintenance", "Action": "start-recording",
            "Conference-Name": text, "Path": text,
        },
        {
            **whole_, "Event-Name": "CUSTOM", "Event-Subclass": "conference::maintenance", "Action": "add-member",
            "Conference-Name": text, "Unique-ID": other,
        },
        {
            **whole_, "Event-Name": "CHANNEL_EXECUTE", "Unique-ID": other, "Application": "eavesdrop",
            "Application-Data": text,
        },
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["Bob\nvariable_consent_decision: given", 'O\'Brien "x" ${uuid}', "Müller", "a%0Ab"])
def test_p7_a_callers_name_in_every_list(talks: Make, text: str) -> None:
    """It is in ``show channels``, ``conference json_list`` and every event: the sweep reads on."""
    made = talks()
    channel = made.talking(NO, name=text)
    room = made.switch.conference("room")
    room.add(channel, channel.agent)
    gevent.sleep(1.3)
    path = made.foreign()
    room.record(str(path))
    until(lambda: not room.recorders, 1)
    assert text not in "\n".join(made.commands)
    made.ended(channel)


def test_p5_a_file_that_no_command_can_name_is_stopped_all_the_same(talks: Make) -> None:
    made = talks()
    channel = made.talking(NO)
    path = made.elsewhere / "a 'b' ${c}.wav"
    channel.record_without_asking(str(path), agent=True)
    until(lambda: not channel.agent_recorders, 1)
    until(lambda: not path.exists())
    assert not any("${" in command or "'" in command for command in made.commands)
    made.sees(channel, "recording_erased")
    (forbidden,) = made.said(channel, "forbidden_recording")
    assert is_name(forbidden["path"]), "the path went with the file"
    made.ended(channel)


def test_the_codec_reads_what_the_simulated_switch_says_of_it() -> None:
    decoder = Decoder()
    decoder.feed(words.event_message({"Event-Name": "DTMF", "a": "x\ny", "b": ["1", "2"], "c": 'q"'}))
    message = decoder.next_message()
    assert message is not None
    event = message.event()
    assert (event.get("a"), event.get("b"), event.get("c")) == ("x\ny", None, 'q"')
    json.loads(message.body)
