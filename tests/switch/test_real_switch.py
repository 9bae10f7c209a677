"""A real FreeSWITCH with our rendered XML, ``consentivr serve`` beside it, callers over SIP and RTP.

The assertions are on the WAV, the ledger row and where the caller ended; not on log lines.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import numpy as np
import pytest
import soundfile

from consentivr.app import Application
from consentivr.config import Configuration, load
from consentivr.esl.session import OutboundSession
from consentivr.lab.caller import Caller
from consentivr.lab.laboratory import simulated_switch
from consentivr.lab.native import NativeSwitch, free_port
from consentivr.ledger import Entry, Ledger, Search
from tests.served import localize, serve

pytestmark = pytest.mark.freeswitch

SCENARIOS = Path(__file__).parents[2] / "lab" / "sipp"
NUMBERS = (f"+4930231250{number:02d}" for number in itertools.count())
MUSIC_HZ, AGENT_HZ = 440, 600


def eventually(what: Callable[[], object], seconds: float = 15) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        gevent.sleep(0.05)
    raise AssertionError("it does not happen")


class Lab:
    """FreeSWITCH and ``consentivr serve`` around one configuration."""

    def __init__(self, configuration: Configuration, folder: Path) -> None:
        music = f"tone_stream://%(1000,500,{MUSIC_HZ});loops=-1"
        self.folder = folder
        self.yaml = localize(configuration, folder, free_port(), music=music, max_wait_s=6)
        self.configuration = load(self.yaml)
        self.switch = NativeSwitch(self.configuration, folder)
        self.process: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        self.process = serve(self.yaml)
        eventually(lambda: "serving" in (self.folder / "serve.log").read_text())

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    # --- one call ----------------------------------------------------------------------------

    def call(self, *, agent: bool = True, name: str = "Erika Mustermann") -> tuple[str, str]:
        """Place a call; returns the far end's UUID and the caller's number."""
        self.switch.agents_wait(available=agent)
        number = next(NUMBERS)
        return self.switch.call("5000", number, name), number

    def leg(self, number: str) -> str:
        """The caller's leg on the switch, which the application controls."""
        legs = [
            row["uuid"]
            for row in self.switch.channels()
            if row["direction"] == "inbound" and row["cid_num"] == number and "lab-agent" not in row["dest"]
        ]
        return legs[0] if legs else ""

    def application_of(self, number: str) -> str:
        rows = [row for row in self.switch.channels() if row["uuid"] == self.leg(number)]
        return rows[0]["application"] if rows else ""

    def asked(self, number: str) -> None:
        eventually(lambda: self.application_of(number) == "play_and_get_digits")

    def press(self, far_end: str, number: str, key: str, after: float = 1.2) -> None:
        """Press a key so many seconds after the question has begun."""
        self.asked(number)
        gevent.sleep(after)
        self.switch.api(f"uuid_send_dtmf {far_end} {key}")

    def talking(self, number: str) -> str:
        """Wait for the bridge; returns the caller's leg."""

        def bridged() -> str:
            leg = self.leg(number)
            return leg if leg and self.switch.api(f"uuid_getvar {leg} cc_agent_bridged") == "true" else ""

        return str(eventually(bridged, 40))

    def hang_up(self, far_end: str) -> None:
        self.switch.api(f"uuid_kill {far_end}")
        eventually(lambda: not self.switch.channels())

    def rows(self, number: str) -> dict[str, Entry]:
        ledger = Ledger(self.folder / "ledger.sqlite3")
        try:
            return {row.turn: row for row in ledger.read() if row.caller_id_number == number}
        finally:
            ledger.close()

    def whole_rows(self, number: str) -> dict[str, Entry]:
        eventually(lambda: {"call_ended", "connection_lost"} & set(self.rows(number)))
        return self.rows(number)

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "recordings").rglob("*.wav"))


@pytest.fixture
def lab(configure: Callable[..., Configuration], tmp_path: Path) -> Iterator[Lab]:
    made = Lab(configure(), tmp_path)
    with made.switch:
        made.serve()
        yield made
        made.end()


def level(samples: np.ndarray, rate: int, hertz: float) -> float:
    spectrum = np.abs(np.fft.rfft(samples)) / max(1, len(samples))
    return float(spectrum[int(hertz * len(samples) / rate) - 2 : int(hertz * len(samples) / rate) + 3].max())


def test_yes_is_a_stereo_wav_of_the_talk_and_only_the_talk(lab: Lab) -> None:
    far_end, number = lab.call()
    lab.press(far_end, number, "1")
    leg = lab.talking(number)
    assert str(lab.folder) in lab.switch.recorders(leg)
    gevent.sleep(3)
    lab.hang_up(far_end)
    rows = lab.whole_rows(number)
    (path,) = lab.files
    assert str(path) == rows["recording_stopped"].evidence["path"]
    samples, rate = soundfile.read(str(path))
    assert samples.shape[1] == 2
    assert 2.5 < len(samples) / rate < 4.5
    assert level(samples[:, 1], rate, AGENT_HZ) > 20 * level(samples[:, 1], rate, MUSIC_HZ)
    assert level(samples[:, 0], rate, MUSIC_HZ) < 0.001
    assert rows["decision"].evidence["decision"] == "given"
    assert rows["call_ended"].evidence["agent"] == "1001@default"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["9"], ("refused", "objection_key")),
        ([], ("not_obtained", "silence")),
        (["5", "7"], ("not_obtained", "wrong_key")),
    ],
    ids=["9", "silence", "wrong"],
)
def test_everything_else_is_unrecorded(lab: Lab, keys: list[str], expected: tuple[str, str]) -> None:
    far_end, number = lab.call()
    for key in keys:
        lab.press(far_end, number, key)
        gevent.sleep(0.5)
    leg = lab.talking(number)
    assert lab.switch.recorders(leg) == "", "the negative proof"
    other = lab.switch.api(f"uuid_getvar {leg} cc_agent_uuid")
    assert lab.switch.recorders(other) == ""
    gevent.sleep(1)
    lab.hang_up(far_end)
    evidence = lab.whole_rows(number)["decision"].evidence
    assert (evidence["decision"], evidence["reason"]) == expected
    assert lab.files == []


def test_barge_in(lab: Lab) -> None:
    far_end, number = lab.call()
    lab.press(far_end, number, "1", after=0.3)
    lab.talking(number)
    lab.hang_up(far_end)
    assert lab.whole_rows(number)["decision"].evidence["heard_ms"] < 1000


def test_the_agent_hangs_up_and_the_call_ends(lab: Lab) -> None:
    far_end, number = lab.call()
    lab.press(far_end, number, "1")
    leg = lab.talking(number)
    gevent.sleep(1)
    lab.switch.api(f"uuid_kill {lab.switch.api(f'uuid_getvar {leg} cc_agent_uuid')}")
    eventually(lambda: not lab.switch.channels())
    rows = lab.whole_rows(number)
    assert "recording_stopped" in rows
    assert rows["call_ended"].evidence["hangup_cause"] == "NORMAL_CLEARING"


def test_a_queue_time_out_plays_the_ending(lab: Lab) -> None:
    far_end, number = lab.call(agent=False)
    lab.press(far_end, number, "1")
    eventually(lambda: not lab.switch.channels(), 40)
    rows = lab.whole_rows(number)
    assert rows["queue_left"].evidence == {"why": "TIMEOUT"}
    assert lab.files == []


STAGES = {"before the call": "", "in the question": "play_and_get_digits", "in the queue": "callcenter"}


@pytest.mark.parametrize("stage", [*STAGES, "in the talk"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_p4_killed_or_stopped(lab: Lab, stage: str, how: int) -> None:
    assert lab.process is not None
    if stage == "before the call":
        lab.process.send_signal(how)
        far_end, number = lab.call()
    else:
        far_end, number = lab.call()
        if stage == "in the question":
            lab.asked(number)
            gevent.sleep(1.2)
        else:
            lab.press(far_end, number, "1")
        if stage == "in the talk":
            lab.talking(number)
        else:
            eventually(lambda: lab.application_of(number) == STAGES[stage])
        lab.process.send_signal(how)
    lab.talking(number)
    gevent.sleep(2)
    assert lab.leg(number), "the talk goes on"
    lab.hang_up(far_end)
    given = any(row.evidence.get("decision") == "given" for row in lab.rows(number).values())
    assert bool(lab.files) <= given, "P1: nothing is recorded without a durable row"
    if stage in ("before the call", "in the question"):
        assert lab.files == []


@pytest.mark.parametrize(
    "name",
    ["Bob%0Avariable_consent_key_1%3A 1", "Bob ../../etc", "B" * 200, "${system(touch /tmp/consentivr-pwned)}", "😀"],
    ids=["forged", "path", "long", "code", "emoji"],
)
@pytest.mark.sipp
def test_p7_hostile_names(lab: Lab, tmp_path: Path, name: str) -> None:
    scenario = (SCENARIOS / "press_nothing.xml").read_text().replace("Erika Mustermann", name)
    scenario = scenario.replace("      Max-Forwards: 70\n", f"      Max-Forwards: 70\n      X-Note: {name}\n", 1)
    (tmp_path / "hostile.xml").write_text(scenario.replace('"60000"', '"15000"'))
    lab.switch.agents_wait()
    subprocess.run(sipp(lab, tmp_path / "hostile.xml", 1), cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    ledger = Ledger(lab.folder / "ledger.sqlite3")
    (decision,) = ledger.read(Search(turn="decision"))
    ledger.close()
    assert decision.evidence["decision"] == "not_obtained"
    assert lab.files == []
    assert not Path("/tmp/consentivr-pwned").exists()


def sipp(lab: Lab, scenario: Path, calls: int) -> list[str]:
    return [
        "sipp", f"127.0.0.1:{lab.switch.sip_port}", "-sf", str(scenario), "-s", "5000", "-i", "127.0.0.1",
        "-m", str(calls), "-l", str(calls), "-r", "5", "-nostdin", "-timeout", "120s",
        "-mp", str(30000 + abs(hash(scenario.name)) % 9000 // 4 * 4),
    ]  # fmt: skip


@pytest.mark.sipp
def test_twenty_callers_at_once(lab: Lab, tmp_path: Path) -> None:
    counts = {"press_1": 8, "press_9": 7, "press_nothing": 5}
    running = []
    for name, calls in counts.items():
        quick = tmp_path / f"{name}.xml"
        text = (SCENARIOS / f"{name}.xml").read_text()
        quick.write_text(text.replace('"6000"', '"1200"').replace('"9000"', '"12000"').replace('"60000"', '"15000"'))
        running.append(subprocess.Popen(sipp(lab, quick, calls), cwd=tmp_path, stdout=subprocess.DEVNULL))
    for process in running:
        while process.poll() is None:
            lab.switch.agents_wait()
            gevent.sleep(1)
        assert process.returncode == 0
    eventually(lambda: not lab.switch.channels())
    ledger = Ledger(lab.folder / "ledger.sqlite3")
    decisions = {row.channel_uuid: row.evidence["decision"] for row in ledger.read(Search(turn="decision"))}
    stopped = {row.channel_uuid for row in ledger.read(Search(turn="recording_stopped")) if row.evidence["duration_ms"]}
    ledger.close()
    said = list(decisions.values())
    assert {word: said.count(word) for word in ("given", "refused", "not_obtained")} == {
        "given": 8,
        "refused": 7,
        "not_obtained": 5,
    }
    assert {path.stem for path in lab.files} == stopped
    assert all(decisions[path.stem] == "given" for path in lab.files)


# --- the simulated switch beside the running one ---------------------------------------------

SCRIPTS = {
    "yes": (Caller(keys={1: ("1", 1200)}, talks_ms=1500), ["1"]),
    "no": (Caller(keys={1: ("9", 1200)}, talks_ms=1500), ["9"]),
    "silence": (Caller(talks_ms=1500), []),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_same_call_on_both_gives_the_same_events(
    configure: Callable[..., Configuration], tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, keys = SCRIPTS[script]
    heard: list[tuple[str, str]] = []
    receive = OutboundSession.receive

    def listen(session: OutboundSession, timeout: float | None = None) -> dict:
        event = receive(session, timeout)
        if event["Event-Name"] != "CHANNEL_PARK":
            heard.append((event["Event-Name"], event.get("Application", "")))
        return event

    monkeypatch.setattr(OutboundSession, "receive", listen)
    lab = Lab(configure(), tmp_path)
    application = Application(lab.configuration)
    application.start()
    with lab.switch:
        far_end, number = lab.call()
        for key in keys:
            lab.press(far_end, number, key)
        lab.talking(number)
        gevent.sleep(1.5)
        lab.hang_up(far_end)
        lab.whole_rows(number)
    real, heard[:] = list(heard), []

    channel = simulated_switch(lab.configuration, speed=10).call("5000", caller)
    channel.greenlet.join(30)
    gevent.sleep(0.1)
    application.stop()
    assert heard == real
