"""The codec on what a real switch sent, in any chunks, and on what none would send."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentivr.esl import codec
from consentivr.esl.codec import Decoder, Event, Message, encode, encode_execute
from consentivr.esl.errors import LocalProtocolError, RemoteProtocolError
from tests.recorded import NAMES, from_switch, messages

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.esl"))
TOLERATED = sorted((Path(__file__).parent / "tolerated").glob("*.esl"))


def digest(found: list[Message]) -> list[tuple]:
    return [(message.content_type, dict(message.headers), message.body) for message in found]


def decode(chunks: list[bytes]) -> list[Message]:
    decoder, found = Decoder(), []
    for chunk in chunks:
        decoder.feed(chunk)
        while (message := decoder.next_message()) is not None:
            found.append(message)
    decoder.end()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_conversation_is_understood_whole(name: str) -> None:
    found = messages(from_switch(name))
    assert found[0].content_type == "command/reply"
    assert found[0].headers["Event-Name"] == "CHANNEL_DATA"
    assert found[0].reply_text == "+OK"
    events = [message.event() for message in found if message.content_type == "text/event-json"]
    assert events[-1]["Event-Name"] == "CHANNEL_HANGUP_COMPLETE"
    assert found[-1].headers["Content-Disposition"] == "disconnect"


@pytest.mark.parametrize("name", ["hangup_in_prompt", "agent_hangup"])
def test_byte_by_byte(name: str) -> None:
    data = from_switch(name)
    assert digest(decode([data[i : i + 1] for i in range(len(data))])) == digest(messages(data))


@given(cuts=st.lists(st.integers(0, 126_000), max_size=60), name=st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_random_chunks(cuts: list[int], name: str) -> None:
    data = from_switch(name)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert digest(decode(chunks)) == digest(messages(data))


ACCEPTANCE = b"Content-Type: command/reply\nReply-Text: +OK\n\n"
OTHER_REPLY = b"Content-Type: command/reply\nReply-Text: +OK Events Enabled\n\n"


@pytest.mark.parametrize("chunk", [1 << 20, 1, 40])
def test_plain_acceptances_are_passed_over_and_nothing_else(chunk: int) -> None:
    data = ACCEPTANCE * 3 + OTHER_REPLY + ACCEPTANCE * 2 + b"Content-Length: 1\nContent-Type: api/response\n\n" + b"x"
    data += ACCEPTANCE
    decoder, found = Decoder(), []
    for start in range(0, len(data), chunk):
        decoder.feed(data[start : start + chunk])
        while True:
            passed_over = decoder.skip_accepted()
            message = decoder.next_message()
            found += ["+OK"] * passed_over + ([message.reply_text or message.body] if message else [])
            if message is None:
                break
    assert found == ["+OK", "+OK", "+OK", "+OK Events Enabled", "+OK", "+OK", b"x", "+OK"]
    decoder.end()


def test_there_are_enough_of_them() -> None:
    assert len(INVALID) >= 60


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
@pytest.mark.parametrize("chunk", [1 << 30, 1], ids=["whole", "bytes"])
def test_invalid_is_refused(path: Path, chunk: int) -> None:
    data = path.read_bytes()
    if chunk == 1 and len(data) > 20_000:
        chunk = 997
    with pytest.raises(RemoteProtocolError):
        for message in decode([data[i : i + chunk] for i in range(0, len(data), chunk)]):
            if message.content_type == "text/event-json":
                message.event()


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    try:
        found = decode([data])
    except RemoteProtocolError:
        return
    assert found or not data.strip(b"\n")


def test_p7_a_callers_text_cannot_forge_a_header() -> None:
    block = (
        "Event-Name: CHANNEL_DATA\n"
        "Caller-Caller-ID-Name: Bob%0Avariable_forged%3A%20granted\n"
        "Content-Type: command/reply\nReply-Text: %2BOK%0A\n\n"
    )
    (message,) = messages(block.encode())
    assert "variable_forged" not in message.headers
    assert message.headers["Caller-Caller-ID-Name"] == "Bob\nvariable_forged: granted"


def test_values_are_decoded_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []

    def spy(text: str, **how: str) -> str:
        decoded.append(text)
        return text

    monkeypatch.setattr(codec, "unquote", spy)
    (first, *_) = messages(from_switch("granted"))
    before = len(decoded)
    assert first.headers["Caller-Caller-ID-Name"] == "Erika%20Mustermann"
    assert len(decoded) == before + 1
    assert len(first.headers) > 150 > 5 >= before


def event(body: bytes) -> Event:
    (message,) = messages(b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body))
    return message.event()


def test_a_repeated_header_is_no_text() -> None:
    found = event(b'{"Event-Name":"X","variable_transfer_history":["a","Unique-ID"],"Unique-ID":"u"}')
    assert "variable_transfer_history" not in found
    assert found["Unique-ID"] == "u"
    assert dict.fromkeys(found) == dict.fromkeys(["Event-Name", "variable_transfer_history", "Unique-ID"])
    assert len(found) == 3


@given(st.dictionaries(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), st.text(), max_size=5))
@settings(max_examples=300, deadline=None)
def test_p7_each_header_of_an_event_says_what_was_written(headers: dict[str, str]) -> None:
    """Quotes, backslashes, control characters, other headers' names: in whatever order, a text stays a text."""
    headers = {"Event-Name": "X"} | headers
    found = event(json.dumps(headers, separators=(",", ":")).encode())
    assert {name: found[name] for name in headers} == headers
    assert found.get("absent") is None


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", ['","Unique-ID":"forged', '\\","Unique-ID":"forged"', '\\\\"', "\u2028\n", '"}'])
def test_p7_a_callers_text_cannot_forge_an_events_header(name: str, ascii_only: bool) -> None:
    headers = {"Event-Name": "DTMF", "Caller-Caller-ID-Name": name, "Unique-ID": "u"}
    found = event(json.dumps(headers, separators=(",", ":"), ensure_ascii=ascii_only).encode())
    assert (found["Caller-Caller-ID-Name"], found["Unique-ID"]) == (name, "u")
    assert found.is_of("u")
    assert not found.is_of("forged")


CUSTOM = b'{"Event-Subclass":"callcenter::info","Event-Name":"CUSTOM","Core-UUID":"c","CC-Action":"x","Unique-ID":"u"}'


def test_a_custom_event_begins_with_its_subclass() -> None:
    """Seen on a running switch: the subclass stands before the name, and the name is a header like any other."""
    found = event(CUSTOM)
    assert (found["Event-Name"], found["Event-Subclass"], found["CC-Action"]) == ("CUSTOM", "callcenter::info", "x")
    assert found.is_of("u")


@pytest.mark.parametrize(
    "body",
    [
        CUSTOM.replace(b'"callcenter::info"', b'["callcenter::info"]'),
        CUSTOM.replace(b'"callcenter::info"', b"1"),
        CUSTOM.replace(b"Event-Subclass", b"Event-Subclasses"),
        b'{"Core-UUID":"c",' + CUSTOM[1:],
        b" " + CUSTOM,
    ],
)
def test_any_other_beginning_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        event(body)


@pytest.mark.parametrize("path", TOLERATED, ids=lambda path: path.stem)
def test_odd_bytes_of_a_caller_do_not_cost_the_event(path: Path) -> None:
    """FreeSWITCH hands on what it was sent: a display name in Latin-1 must not keep a caller from being asked."""
    (message,) = messages(path.read_bytes())
    assert message.event()["Event-Name"].startswith("DT")


def test_a_text_that_is_no_json_is_left_as_it_is() -> None:
    found = event(b'{"Event-Name":"X","bad":"a\\x","open":"a\\"}')
    assert found["bad"] == "a\\x"
    assert found.get("open") is None
    assert event(b'{"Event-Name":"X"}').get("open") is None


# --- commands --------------------------------------------------------------------------------


def test_an_execution_on_the_wire() -> None:
    assert encode_execute("playback", "/s/a.wav", "u-1") == (
        b"sendmsg\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: /s/a.wav\n"
        b"event-lock: true\nEvent-UUID: u-1\n\n"
    )
    assert encode_execute("answer", "", "u-2") == (
        b"sendmsg\ncall-command: execute\nexecute-app-name: answer\nevent-lock: true\nEvent-UUID: u-2\n\n"
    )
    assert b"event-lock" not in encode_execute("callcenter", "support@default", "u-3")
    assert encode_execute("playback", "/s/a.wav") == (
        b"sendmsg\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: /s/a.wav\nevent-lock: true\n\n"
    )
    assert encode("myevents json") == b"myevents json\n\n"


@pytest.mark.parametrize("bad", ["a\nb", "a\r\nb", "a\rb", "a\x00b", "\n", "", "a\x7f", "a\x1bb"])
def test_p7_a_control_character_does_not_reach_the_wire(bad: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode(bad)
    if bad:
        with pytest.raises(LocalProtocolError):
            encode_execute("playback", bad, "u")


@pytest.mark.parametrize("bad", ["${system(reboot)}", "/s/${caller_id_name}.wav", "\ud800"])
def test_p7_nothing_for_the_switch_to_expand(bad: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode_execute("playback", bad, "u")


@given(st.text())
@settings(deadline=None)
def test_one_command_is_one_block(text: str) -> None:
    try:
        data = encode_execute("set", text, "u")
    except LocalProtocolError:
        return
    assert data.count(b"\n\n") == 1
    assert data.endswith(b"\n\n")
