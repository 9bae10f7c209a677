"""Commands that matter, over a connection whose answers are written down: each rung of each ladder (promise P6)."""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Callable

import pytest

from consentivr.core.switchboard import Recorder
from consentivr.esl.inbound import NO_ANSWER
from consentivr.watch.orders import STEP_SECONDS, Orders, members_of, recordings_of

LEG = "26c9d23f-fed1-4cfe-b05e-66ccabca7936"
PATH = "/r/a.wav"
NONE = "<media-bugs>\n</media-bugs>\n"
ERR = "-ERR Cannot stop record session!\n"


def there(*paths: str) -> str:
    bug = "<media-bug><function>session_record</function><target>{}</target></media-bug>"
    return "<media-bugs>" + "".join(map(bug.format, paths)) + "</media-bugs>\n"


def rooms(*paths: str, name: str = "room") -> str:
    nodes = [{"type": "recording_node", "record_path": path} for path in paths]
    return json.dumps([{"conference_name": name, "members": [*nodes, {"type": "caller", "uuid": LEG}]}])


class Connection:
    """Answers each command with the next of its answers, when it is asked to."""

    def __init__(self, *answers: str) -> None:
        self.answers = deque(answers)
        self.sent: list[str] = []
        self.seconds: list[float] = []
        self._waiting: deque[Callable[[str], None]] = deque()

    def bgapi(self, command: str, then: Callable[[str], None], seconds: float = 3.0) -> None:
        self.sent.append(command)
        self.seconds.append(seconds)
        self._waiting.append(then)

    def play(self) -> None:
        while self._waiting:
            self._waiting.popleft()(self.answers.popleft())
        assert not self.answers, "it asked for less than that"


Outcome = tuple[bool, str]


def orders(connection: Connection) -> Orders:
    return Orders(connection, lambda seconds, what: what())  # type: ignore[arg-type]


def stop(recorder: Recorder, *answers: str, may_end_leg: bool = False) -> tuple[list[str], list[Outcome]]:
    connection, outcomes = Connection(*answers), []
    orders(connection).stop(
        recorder, lambda done, said, took_ms: outcomes.append((done, said)), may_end_leg=may_end_leg
    )
    connection.play()
    assert all(seconds == STEP_SECONDS for seconds in connection.seconds), "each step has its deadline"
    return connection.sent, outcomes


BY_NAME, ALL, KILL = f"uuid_record {LEG} stop {PATH}", f"uuid_record {LEG} stop all", f"uuid_kill {LEG}"
LOOK, EXISTS = f"uuid_buglist {LEG}", f"uuid_exists {LEG}"
ON_LEG = Recorder(PATH, LEG)


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        (("+OK Success\n", NONE), [BY_NAME, LOOK]),
        (("+OK Success\n", there("/r/other.wav")), [BY_NAME, LOOK]),
        ((ERR, NONE), [BY_NAME, LOOK]),
        ((NO_ANSWER, NONE), [BY_NAME, LOOK]),
        (("+OK", "-ERR no reply\n"), [BY_NAME, LOOK]),
        (("+OK", there(PATH), "+OK", NONE), [BY_NAME, LOOK, ALL, LOOK]),
        ((ERR, there(PATH), "+OK", NONE), [BY_NAME, LOOK, ALL, LOOK]),
        ((NO_ANSWER, NO_ANSWER, "+OK", NONE), [BY_NAME, LOOK, ALL, LOOK]),
    ],
    ids=["done", "another goes on", "nothing recorded", "answer lost", "leg gone", "not stopped", "refused", "hung"],
)  # fmt: skip
def test_p6_a_stop_is_done_when_the_switch_no_longer_lists_it(answers: tuple[str, ...], sent: list[str]) -> None:
    assert stop(ON_LEG, *answers) == (sent, [(True, "")])


@pytest.mark.parametrize("list_", [there(PATH), NO_ANSWER], ids=["it records still", "hung"])
@pytest.mark.parametrize("said", [ERR, NO_ANSWER, "+OK"])
def test_p6_a_stop_that_cannot_be_seen_is_not_done(list_: str, said: str) -> None:
    assert stop(ON_LEG, said, list_, said, list_) == ([BY_NAME, LOOK, ALL, LOOK], [(False, said.strip())])


def test_no_list_is_the_list_of_a_leg_that_is_gone_if_it_is() -> None:
    assert stop(ON_LEG, ERR, "", "false") == ([BY_NAME, LOOK, EXISTS], [(True, "")])
    sent, outcomes = stop(ON_LEG, ERR, "", "true", ERR, "", NO_ANSWER)
    assert (sent, outcomes) == ([BY_NAME, LOOK, EXISTS, ALL, LOOK, EXISTS], [(False, ERR.strip())])


def test_p6_where_no_call_depends_on_it_the_leg_is_the_last_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = (ERR, there(PATH), ERR, there(PATH))
    sent, outcomes = stop(ON_LEG, *failed, "+OK", "true", "false", may_end_leg=True)
    assert (sent, outcomes) == ([BY_NAME, LOOK, ALL, LOOK, KILL, EXISTS, EXISTS], [(True, "")])
    clock = itertools.count(step=STEP_SECONDS / 4)
    monkeypatch.setattr("consentivr.watch.orders.time.monotonic", lambda: next(clock))
    sent, outcomes = stop(ON_LEG, *failed, "-ERR No such channel!\n", *5 * ["true"], may_end_leg=True)
    assert (sent[4], outcomes) == (KILL, [(False, "-ERR No such channel!")])
    assert set(sent[5:]) == {EXISTS}


@pytest.mark.parametrize("path", ["/r/a b.wav", "/r/${x}.wav", "relative", "/r/ä.wav"])
def test_p7_a_recorder_that_cannot_be_named_is_stopped_with_all_others(path: str) -> None:
    assert stop(Recorder(path, LEG), "+OK", NONE) == ([ALL, LOOK], [(True, "")])


# --- conferences -----------------------------------------------------------------------------

IN_ROOM = Recorder(PATH, None, "room")
NORECORD, NORECORD_ALL, ROOMS = (
    f"conference room norecord {PATH}",
    "conference room norecord all",
    "conference json_list",
)


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        # Seen: what it says of a recording that it did stop.
        (("Stopped recording file\n+OK Stopped recording 0 files\n", rooms()), [NORECORD, ROOMS]),
        (("+OK", "[]"), [NORECORD, ROOMS]),
        (("+OK", rooms("/c/other.wav")), [NORECORD, ROOMS]),
        (("+OK", rooms(PATH, name="other")), [NORECORD, ROOMS]),
        (("-ERR non-existant recording\n", rooms(PATH), "+OK", rooms()), [NORECORD, ROOMS, NORECORD_ALL, ROOMS]),
        ((NO_ANSWER, NO_ANSWER, "+OK", rooms()), [NORECORD, ROOMS, NORECORD_ALL, ROOMS]),
    ],
)
def test_p5_a_conference_is_stopped_when_the_switch_no_longer_lists_it(
    answers: tuple[str, ...], sent: list[str]
) -> None:
    assert stop(IN_ROOM, *answers) == (sent, [(True, "")])


@pytest.mark.parametrize("list_", [rooms(PATH), NO_ANSWER, "no JSON", "{}", ""])
def test_p6_what_is_no_list_proves_nothing(list_: str) -> None:
    assert stop(IN_ROOM, "+OK", list_, "-ERR", list_)[1] == [(False, "-ERR")]


@pytest.mark.parametrize("name", ["a b", "", "${x}", "a\nb"])
def test_p7_a_conference_that_cannot_be_named(name: str) -> None:
    assert stop(Recorder(PATH, None, name)) == ([], [(False, "no command can name it")])


# --- masking and starting --------------------------------------------------------------------


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize(
    ("answer", "done"), [("+OK Success\n", True), ("-ERR Cannot mask recording session!\n", False), (NO_ANSWER, False)]
)
def test_p6_a_mask_is_what_the_switch_answers(on: bool, answer: str, done: bool) -> None:
    """A masked recorder looks like any other in the switch's list (seen): its answer is all there is."""
    connection, outcomes = Connection(answer), []
    orders(connection).mask(ON_LEG, on, lambda *said: outcomes.append(said[:2]))
    connection.play()
    assert connection.sent == [f"uuid_record {LEG} {'mask' if on else 'unmask'} {PATH}"]
    assert outcomes == [(done, answer.strip())]


@pytest.mark.parametrize("recorder", [IN_ROOM, Recorder("/r/a b.wav", LEG)])
def test_what_cannot_be_masked_is_said_so_at_once(recorder: Recorder) -> None:
    outcomes: list[tuple[bool, str, int]] = []
    orders(Connection()).mask(recorder, True, lambda *said: outcomes.append(said))
    assert outcomes == [(False, "it cannot be masked", 0)]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (("+OK", "+OK Success\n"), (True, "+OK Success")),
        (("+OK", "-ERR Cannot record session!\n"), (False, "-ERR Cannot record session!")),
        (("+OK", NO_ANSWER), (False, NO_ANSWER)),
        (("-ERR No such channel!\n",), (False, "-ERR No such channel!")),
        ((NO_ANSWER,), (False, NO_ANSWER)),
    ],
)
def test_a_recorder_starts_only_once_its_variables_are_set(answers: tuple[str, ...], outcome: Outcome) -> None:
    connection, outcomes = Connection(*answers), []
    orders(connection).start(LEG, PATH, {"RECORD_STEREO": "true"}, lambda *said: outcomes.append(said[:2]))
    connection.play()
    assert connection.sent == [
        f"uuid_setvar_multi {LEG} RECORD_STEREO=true", f"uuid_record {LEG} start {PATH}",
    ][: len(answers)]  # fmt: skip
    assert outcomes == [outcome]


def test_how_long_it_took_is_told() -> None:
    connection, took = Connection("+OK", NONE), []
    orders(connection).stop(ON_LEG, lambda done, said, ms: took.append(ms), may_end_leg=False)
    time.sleep(0.03)
    connection.play()
    assert took[0] >= 30


# --- lists -----------------------------------------------------------------------------------


def test_what_the_list_of_conferences_says() -> None:
    said = rooms("/c/1.wav", "/c/2.wav")
    assert recordings_of(said) == {"room": ("/c/1.wav", "/c/2.wav")}
    assert members_of(said) == {"room": (LEG,)}
    assert members_of("[]") == {}


@pytest.mark.parametrize("said", ["", "+OK No active conferences.\n", "{}", "1", "[", NO_ANSWER])
def test_what_is_no_list_of_conferences(said: str) -> None:
    assert members_of(said) is None


@pytest.mark.parametrize("said", ["[1]", '[{"members": []}]', '[{"conference_name": "a"}]', '["x"]'])
def test_an_odd_list_of_conferences(said: str) -> None:
    assert members_of(said) is not None
    assert not any(recordings_of(said).values())
