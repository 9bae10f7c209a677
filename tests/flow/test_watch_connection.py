"""The connection to the switch, or the ledger, is gone for a while: what was so goes on (promises P3, P11)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from consentivr.lab.switch import Channel
from tests.flow.talks import NO, YES, Talks, press, stays
from tests.ledgers import locked, whole
from tests.waiting import until

Make = Callable[..., Talks]


def silent(channel: Channel) -> bool:
    return all(recorder.masked for recorder in channel.recorders.values())


def away(made: Talks, what: Callable[[], None] = lambda: None) -> None:
    """The connection breaks; ``what`` happens meanwhile; then it is back."""
    before = made.watch._following
    made.event_socket.cut()
    until(lambda: made.watch._following is None)
    what()
    made.event_socket.listen()
    until(lambda: made.watch._following not in (None, before))


def once(said: list[str], *turns: str) -> None:
    for turn in turns:
        assert said.count(turn) == 1, said


# --- the connection --------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["talk", "hold", "pause", "withdrawal", "consultation", "waiting"])
def test_p11_what_was_so_goes_on(talks: Make, when: str) -> None:
    made = talks()
    if when == "waiting":
        channel = made.waiting(YES)
        away(made)
        until(lambda: made.follows(channel))
        press(channel, "*9")
        made.sees(channel, "withdrawn")
        said = made.ended(channel)
        assert channel.recorded == {}
        once(said, "adopted")
        return
    channel = made.recorded()
    (path,) = channel.recorders
    if when == "hold":
        channel.agent.hold()
        made.sees(channel, "recording_masked")
    elif when == "consultation":
        colleague = made.switch.consult(channel.agent)
        made.sees(channel, "recording_masked")
    elif when == "pause":
        press(channel, "*3", agent=True)
        made.sees(channel, "recording_paused")
    elif when == "withdrawal":
        press(channel, "*9")
        made.sees(channel, "withdrawn")
    away(made)
    until(lambda: made.follows(channel))
    if when == "withdrawal":
        stays(lambda: not channel.recorders, 0.3)
    else:
        stays(lambda: list(channel.recorders) == [path] and silent(channel) == (when != "talk"), 0.3)
    if when == "hold":
        channel.agent.unhold()
    elif when == "consultation":
        colleague.hang_up()
    elif when == "pause":
        press(channel, "*4", agent=True)
        made.sees(channel, "recording_resumed")
    if when != "withdrawal":
        until(lambda: channel.recorders and not silent(channel))
        gevent.sleep(0.1)
        press(channel, "*9")
        made.sees(channel, "withdrawn")
    said = made.ended(channel)
    once(said, "adopted", "withdrawn", "agent_answered" if when != "consultation" else "withdrawn")
    assert said.count("recording_started") == said.count("recording_stopped") == len(channel.recorded)
    assert made.incidents == 0


@pytest.mark.parametrize("what", ["hold", "outsider", "another recorder", "hangs up", "no to colleague"])
def test_p11_what_happens_meanwhile_is_found(talks: Make, what: str) -> None:
    made = talks()
    channel = made.talking(NO) if what in ("another recorder", "no to colleague") else made.recorded()
    path = made.foreign()
    outsider = made.switch.leg("outsider", "3001")

    def happens() -> None:
        if what == "hold":
            channel.agent.hold()
        elif what == "outsider":
            made.switch.listen_in(channel, three_way=True, by=outsider)
        elif what == "another recorder":
            channel.record_without_asking(str(path), agent=True)
        elif what == "no to colleague":
            outsider.record(str(path))
            made.switch.bridge(outsider, channel)
        else:
            channel.hang_up()
            until(lambda: channel.over)

    away(made, happens)
    if what == "hold":
        until(lambda: silent(channel), 2)
        made.sees(channel, "recording_masked")
    elif what == "outsider":
        until(lambda: silent(channel), 2)
        made.sees(channel, "recording_masked")
        outsider.hang_up()
        until(lambda: channel.recorders and not silent(channel), why="heard again")
    elif what == "hangs up":
        until(lambda: made.turns(channel).count("call_ended") == 1, 10)
        made.sees(channel, "recording_sealed")
        assert made.turns(channel).count("decision") == 1
        return
    else:
        until(lambda: not path.exists() and not channel.agent_recorders and not outsider.recorders, 2)
        made.sees(channel, "forbidden_recording")
    made.ended(channel)


def test_p6_a_withdrawal_that_nobody_heard_can_be_made_again(talks: Make) -> None:
    """The key falls into the gap: what is not heard is not said to be so."""
    made = talks()
    channel = made.recorded()
    away(made, lambda: press(channel, "*9"))
    until(lambda: made.follows(channel))
    assert "withdrawn" not in made.turns(channel)
    press(channel, "*9")
    made.sees(channel, "withdrawn")
    made.ended(channel)


def test_p6_the_connection_breaks_while_a_stop_is_not_confirmed(talks: Make) -> None:
    """The no is the channel's own word by then: whoever comes back stops it."""
    made = talks()
    channel = made.recorded()
    made.switch.faults.hang("uuid_record .* stop")
    press(channel, "*9")
    until(lambda: channel.variables["consent_decision"] == "withdrawn")
    away(made)
    assert channel.recorders
    assert "withdrawn" not in made.turns(channel)
    made.switch.faults.clear()
    until(lambda: not channel.recorders, 4)
    made.sees(channel, "withdrawn")
    made.ended(channel)


def test_many_cuts_and_one_decision(talks: Make) -> None:
    made = talks()
    channels = [made.recorded(), made.talking(NO), made.waiting(YES)]
    for _ in range(5):
        made.event_socket.drop()
        gevent.sleep(0.3)
    until(lambda: all(made.follows(channel) for channel in channels))
    for channel in channels:
        made.ended(channel)
    assert made.incidents == 0
    whole(made.folder / "ledger.sqlite3")


# --- the ledger ------------------------------------------------------------------------------


def test_p3_the_ledger_is_locked_when_an_agents_row_must_be_durable(talks: Make) -> None:
    made = talks(how={"commit_timeout_ms": 200}, agents={"must_agree": True})
    made.register("1001@default")
    channel = made.waiting(YES)
    with locked(made.folder / "ledger.sqlite3"):
        made.switch.bridge(channel, _agent(made, channel))
        gevent.sleep(0.6)
        assert not channel.recorders
    made.sees(channel, "recording_withheld")
    stays(lambda: not channel.recorders, 0.3)
    made.ended(channel)


def _agent(made: Talks, channel: Channel) -> object:
    leg = made.switch.leg("agent", "1001", variables={"dialed_user": "2001", "dialed_domain": "127.0.0.1"})
    leg.variables["presence_id"] = "2001@127.0.0.1"
    return leg


def test_p6_the_ledger_is_locked_in_a_withdrawal(talks: Make) -> None:
    """The recorder stops at once; the row follows."""
    made = talks(how={"commit_timeout_ms": 200})
    channel = made.recorded()
    with locked(made.folder / "ledger.sqlite3"):
        press(channel, "*9")
        until(lambda: not channel.recorders, 1)
        gevent.sleep(0.2)
    (withdrawn,) = made.sees(channel, "withdrawn")
    assert withdrawn["stopped_ms"] < 200
    made.ended(channel)


def test_p11_the_ledger_is_locked_while_conversations_are_taken_up(talks: Make, tmp_path: Path) -> None:
    made = talks(how={"commit_timeout_ms": 200})
    yes, no = made.recorded(), made.talking(NO)
    with locked(made.folder / "ledger.sqlite3"):
        away(made)
        gevent.sleep(1)
    until(lambda: made.follows(yes) and made.follows(no))
    gevent.sleep(0.2)
    path = made.foreign()
    no.record_without_asking(str(path), agent=True)
    until(lambda: not no.agent_recorders, 2)
    press(yes, "*9")
    made.sees(yes, "withdrawn")
    for channel in (yes, no):
        made.ended(channel)
    assert not any(Path(file).exists() for file in yes.recorded), "what was taken back is erased"
