"""The watch begins while the lists of the switch are behind, and rows are lost: nobody is heard for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consentivr import switch
from consentivr.lab.switch import Channel
from tests.flow.talks import Talks, audible
from tests.waiting import until

Make = Callable[..., Talks]
NO_SWEEP = {"watch": {"sweep_s": 60}}


def blind(made: Talks) -> None:
    """As if nobody watched any more."""
    made.event_socket.cut()
    until(lambda: made.watch._following is None)


def silent(channel: Channel) -> bool:
    return all(recorder.masked for recorder in channel.recorders.values())


def behind(made: Talks, commands: tuple[str, ...] = (switch.CALLS, switch.CHANNELS)) -> None:
    """From now on the lists say what is so now; of channels that are gone too."""
    for command in commands:
        made.switch.faults.refuse(f"^{command}", made.switch.api(command))


@pytest.fixture
def gone_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the channel itself helps, not that the leg before is found to be gone."""
    monkeypatch.setattr("consentivr.watch.following.GONE_SECONDS", 60)


def test_p10_a_transfer_that_no_list_knows_yet(talks: Make, gone_late: None) -> None:
    made = talks(**NO_SWEEP)
    channel = made.recorded()
    behind(made)
    blind(made)
    made.switch.bridge(made.switch.leg("outsider", "3001"), channel)
    made.event_socket.listen()
    until(lambda: silent(channel), 2)
    until(lambda: "adopted" in made.turns(channel))
    made.ended(channel)


def test_p10_a_parked_caller_whom_a_list_still_has_in_a_talk(talks: Make, gone_late: None) -> None:
    made = talks(**NO_SWEEP)
    channel = made.recorded()
    behind(made)
    blind(made)
    made.switch.park(channel)
    made.event_socket.listen()
    until(lambda: "adopted" in made.turns(channel))
    until(lambda: made.visit(channel) is not None and not made.visit(channel).state.talking, 2)
    made.ended(channel)


def test_p10_a_hold_that_no_list_knows_yet(talks: Make) -> None:
    """The lists alone tell of it: they are looked at again at once, and not only with the ordinary sweep."""
    made = talks(**NO_SWEEP)
    channel = made.recorded()
    behind(made)
    blind(made)
    channel.agent.hold()
    made.event_socket.listen()
    until(lambda: "adopted" in made.turns(channel))
    made.switch.faults.clear()
    until(lambda: silent(channel), 4)
    made.ended(channel)


def test_p11_a_file_that_ended_while_nobody_watched_has_its_end(talks: Make) -> None:
    """And one whose first row was lost with its process is followed, without what nobody saw of it."""
    made = talks()
    channel = made.recorded()
    (first,) = channel.recorders
    blind(made)
    channel.stop_recording(first)
    second = first.replace(".wav", "-2.wav")
    channel.record(second)
    made.event_socket.listen()
    (unwatched,) = made.sees(channel, "unwatched")
    assert sorted(unwatched["paths"]) == sorted([first, second])
    until(lambda: [said["path"] for said in made.said(channel, "recording_stopped")] == [first], 12)
    until(lambda: second in channel.recorders)
    made.ended(channel)
    assert set(made.sealed(channel)) == {first, second}
    assert all(isinstance(audible(path), set) for path in made.sealed(channel)), Path(first).name
