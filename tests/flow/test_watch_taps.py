"""What else hears a caller, what the house may choose, and who is told of an incident (promises P5, P10)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
from structlog.testing import capture_logs

from consentivr.lab.switch import Channel
from consentivr.service.check import check
from tests.flow.talks import NO, SILENCE, Talks, audible, everybody, masked_s, stays
from tests.ledgers import whole
from tests.waiting import until

Make = Callable[..., Talks]


def silent(channel: Channel) -> bool:
    return all(recorder.masked for recorder in channel.recorders.values())


# --- forbidden recordings --------------------------------------------------------------------


@pytest.mark.parametrize("keys", [NO, SILENCE], ids=["no", "silence"])
@pytest.mark.parametrize("agent", [True, False], ids=["agent's leg", "caller's leg"])
def test_p5_a_forbidden_recording_is_stopped_and_erased(talks: Make, agent: bool, keys: dict) -> None:
    made = talks()
    for number in range(3):
        channel = made.talking(keys)
        file = made.foreign(str(number))
        channel.record_without_asking(str(file), agent=agent)
        until(lambda: not channel.recorders and not channel.agent_recorders, 1)  # noqa: B023 - waited for here
        until(lambda: not file.exists())  # noqa: B023
        (forbidden,) = made.sees(channel, "forbidden_recording")
        assert forbidden["leg"] == ("agent" if agent else "caller")
        assert forbidden["why"] == ("caller_refused" if keys is NO else "no_answer")
        made.sees(channel, "recording_erased")
        made.ended(channel)
    assert made.incidents == 3
    whole(made.folder / "ledger.sqlite3")


def test_p5_an_eavesdropper_who_records(talks: Make) -> None:
    made = talks()
    channel = made.talking(NO)
    spy = made.switch.listen_in(channel)
    path = made.foreign()
    spy.record(str(path))
    until(lambda: not spy.recorders, 1)
    until(lambda: not path.exists())
    (forbidden,) = made.sees(channel, "forbidden_recording")
    assert forbidden["leg"] == "listener"
    made.ended(channel)


def test_the_negative_proof_names_every_leg_and_tap(talks: Make) -> None:
    made = talks()
    channel = made.talking(NO)
    (proof,) = made.sees(channel, "looked_for_recorders")
    assert proof["recorders"] == 0
    assert [leg["leg"] for leg in proof["legs"]] == ["caller", "agent"]
    channel.tap("displace", "/x.wav")
    made.switch.listen_in(channel)
    until(lambda: len(made.said(channel, "looked_for_recorders")) == 2)
    taps = [tap for leg in made.said(channel, "looked_for_recorders")[1]["legs"] for tap in leg["taps"]]
    assert set(taps) == {"displace", "eavesdrop"}
    made.ended(channel)


# --- taps: note, alarm, end ------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["note", "alarm", "end"])
def test_taps_on_who_said_no(talks: Make, choice: str) -> None:
    made = talks(talks={"taps": choice})
    channel = made.talking(NO)
    channel.tap("displace", "/x.wav")
    made.sees(channel, "tapped")
    spy = made.switch.listen_in(channel)
    if choice == "end":
        until(lambda: not spy.up)
    else:
        stays(lambda: spy.up)
    made.sees(channel, "tapped", 2)
    until(lambda: made.said(channel, "tapped")[-1]["ended"] == (choice == "end"))
    functions = [row["function"] for row in made.said(channel, "tapped")]
    assert functions == ["displace", "eavesdrop", *["eavesdrop"] * (choice == "end")], "and that it is gone"
    assert made.incidents == (0 if choice == "note" else 2)
    assert channel.partner is channel.agent, "the talk goes on"
    assert "forbidden_recording" not in made.ended(channel)


# --- who listens, who joins in ---------------------------------------------------------------


def test_p10_a_silent_supervisor_is_not_heard_and_one_who_speaks_is(talks: Make) -> None:
    made = talks()
    channel = made.recorded()
    spy = made.switch.listen_in(channel)
    gevent.sleep(0.1)
    until(lambda: not silent(channel), 1)  # silent for a moment at most: that somebody listens may be told before who
    stays(lambda: not silent(channel), 0.2)
    spy.press("2")
    until(lambda: silent(channel), 1)
    masked = made.sees(channel, "recording_masked")[-1]
    assert (masked["why"], masked["parties"]) == ("outsider", [spy.uuid])
    gevent.sleep(0.2)
    spy.press("0")
    until(lambda: not silent(channel))
    spy.press("1")
    until(lambda: silent(channel))
    spy.hang_up()
    until(lambda: not silent(channel))
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert said.count("recording_masked") == said.count("recording_unmasked") in (2, 3)
    (path,) = channel.recorded
    assert masked_s(path) > 3
    assert "tapped" not in said, "who agreed to be recorded may be listened to"


@pytest.mark.parametrize("choice", ["silence", "announce", "allow"])
def test_p10_an_outsider_joins_in(talks: Make, choice: str) -> None:
    made = talks(talks={"outsiders": choice})
    channel = made.recorded()
    outsider = made.switch.listen_in(channel, three_way=True)
    if choice == "silence":
        until(lambda: silent(channel), 1)
        stays(lambda: silent(channel))
    else:
        stays(lambda: channel.recorders and not silent(channel), 0.4)
    assert (("outsider", "both") in channel.broadcasts) == (choice == "announce")
    outsider.hang_up()
    until(lambda: channel.recorders and not silent(channel))
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert said.count("recording_masked") == said.count("recording_unmasked") == (1 if choice == "silence" else 0)
    assert ("outsider" in everybody(channel.recorded)) == (choice != "silence")


@pytest.mark.parametrize("choice", ["silence", "record"])
def test_p10_while_somebody_is_on_hold(talks: Make, choice: str) -> None:
    made = talks(talks={"while_held": choice})
    channel = made.recorded()
    channel.agent.hold()
    gevent.sleep(0.2)
    assert silent(channel) == (choice == "silence")
    channel.agent.unhold()
    until(lambda: not silent(channel))
    gevent.sleep(0.1)
    said = made.ended(channel)
    assert said.count("recording_masked") == said.count("recording_unmasked") == (1 if choice == "silence" else 0)
    (path,) = channel.recorded
    assert (masked_s(path) > 2) == (choice == "silence")
    assert audible(path) == {"caller", "agent"}


# --- who is told, what check says ------------------------------------------------------------


def test_the_officer_is_told(talks: Make, tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"
    made = talks(watch={"command": [sys.executable, "-c", program]})
    channel = made.talking(NO)
    channel.record_without_asking(str(made.foreign()), agent=True)
    until(lambda: told.exists() and told.read_text())
    incident = json.loads(told.read_text())
    assert (incident["channel_uuid"], incident["incident"]) == (channel.uuid, "forbidden_recording")
    assert "23125000" not in told.read_text()
    made.ended(channel)


@pytest.mark.parametrize("command", [["/nonexistent"], ["false"]])
def test_an_officer_who_cannot_be_told_is_logged(talks: Make, command: list[str]) -> None:
    with capture_logs() as logs:
        made = talks(watch={"command": command})
        channel = made.talking(NO)
        channel.record_without_asking(str(made.foreign()))
        until(lambda: "watch.command failed" in [line["event"] for line in logs])
        made.ended(channel)
    assert "23125000" not in repr(logs)


def test_check_says_whether_the_watch_could_connect(talks: Make) -> None:
    made = talks()
    password = made.folder / "event-socket-password"
    right = password.read_text()

    def said() -> tuple[str, str]:
        findings = [finding for finding in check(made.configuration, port=False) if "switch" in finding.what]
        return findings[0].level, findings[0].said

    assert said()[0] == "good", said()
    password.write_text("wrong")
    assert said()[0] == "bad"
    assert "refused the password" in said()[1]
    password.chmod(0o644)
    assert "chmod 600" in said()[1]
    password.chmod(0o600)
    password.write_text(right)
    made.event_socket.cut()
    assert "cannot connect" in said()[1]
